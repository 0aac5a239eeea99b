/**
 * Puts keys over HTTP/2 with nothing above it, to know when etcd acknowledged them: a gRPC client hands an answer on when its
 * trailers are there and its message is read, which in a process that was idle takes as long as what is to be measured.
 */
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PutRequestSchema, PutResponseSchema } from "../../src/registry/etcd/proto/etcd_pb.js";

export interface Acknowledged {
  readonly revision: bigint;
  /** When the answer's headers, with which etcd begins it, were read; of the monotonic clock, which all processes of a machine share. */
  readonly atNs: bigint;
}

export interface Putter {
  put(key: string, value: string): Promise<Acknowledged>;
  close(): void;
}

export function putter(endpoint: string): Putter {
  const session = connect(`http://${endpoint}`);
  return {
    async put(key, value) {
      const stream = session.request({
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: "/etcdserverpb.KV/Put",
        [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
        te: "trailers",
      });
      let atNs = 0n;
      stream.once("response", () => {
        atNs = process.hrtime.bigint();
      });
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
      stream.end(
        framed(toBinary(PutRequestSchema, create(PutRequestSchema, { key: bytes(key), value: bytes(value) }))),
      );
      await once(stream, "end");
      const { header } = fromBinary(PutResponseSchema, Buffer.concat(chunks).subarray(PREFIX));
      if (!header) throw new Error(`etcd did not take ${key}`);
      return { revision: header.revision, atNs };
    },
    close: () => session.close(),
  };
}

/** Of a gRPC message: whether it is compressed, and in four bytes its length. */
const PREFIX = 5;

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

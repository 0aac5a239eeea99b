/** etcd as a program without rollcall speaks to it: grpc-js and the same generated codecs, and nothing between them. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { prefixRange } from "../../src/registry/etcd/client/key-range.js";
import {
  PutRequestSchema,
  PutResponseSchema,
  WatchRequestSchema,
  type WatchResponse,
  WatchResponseSchema,
} from "../../src/registry/etcd/proto/etcd_pb.js";

export function bareClient(endpoint: string): Client {
  return new Client(endpoint, credentials.createInsecure());
}

export interface Acknowledged {
  readonly revision: bigint;
  /** Of the monotonic clock, which all processes of a machine share. */
  readonly atNs: bigint;
}

export function put(client: Client, key: string, value: string): Promise<Acknowledged> {
  const request = create(PutRequestSchema, { key: Buffer.from(key), value: Buffer.from(value) });
  const encode = () => Buffer.from(toBinary(PutRequestSchema, request));
  return new Promise((resolve, reject) => {
    const onReply = (error: ServiceError | null, reply?: Buffer) => {
      const atNs = process.hrtime.bigint();
      if (!reply) return reject(error);
      resolve({ revision: fromBinary(PutResponseSchema, reply).header?.revision ?? 0n, atNs });
    };
    client.makeUnaryRequest("/etcdserverpb.KV/Put", encode, asIs, request, onReply);
  });
}

/** The responses of a watch on `prefix` from now on. */
export function watch(client: Client, prefix: string, onResponse: (response: WatchResponse) => void): void {
  const stream: ClientDuplexStream<Buffer, WatchResponse> = client.makeBidiStreamRequest(
    "/etcdserverpb.Watch/Watch",
    asIs,
    (bytes) => fromBinary(WatchResponseSchema, bytes),
  );
  stream.on("data", onResponse);
  const createRequest = { case: "createRequest", value: prefixRange(prefix) } as const;
  stream.write(Buffer.from(toBinary(WatchRequestSchema, create(WatchRequestSchema, { requestUnion: createRequest }))));
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** etcd as a program without rollcall speaks to it: grpc-js and the same generated codecs, and nothing between them. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { prefixRange } from "../../src/registry/etcd/client/key-range.js";
import { WatchRequestSchema, type WatchResponse, WatchResponseSchema } from "../../src/registry/etcd/proto/etcd_pb.js";

export function bareClient(endpoint: string): Client {
  return new Client(endpoint, credentials.createInsecure());
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

import { create, toBinary } from "@bufbuild/protobuf";
import { type Event, EventSchema, type WatchResponse, WatchResponseSchema } from "../registry/etcd/proto/etcd_pb.js";

// etcd's --max-request-bytes and what it adds for gRPC's own bytes.
const MAX_FRAGMENT_BYTES = 2 * 1024 * 1024;

/** A response cut into parts that a client with a small receive limit can take; all but the last say that more follows. */
export function fragments(response: WatchResponse): WatchResponse[] {
  if (response.events.length < 2) return [response];
  const parts: Event[][] = [[]];
  const emptyBytes = toBinary(WatchResponseSchema, create(WatchResponseSchema, { ...response, events: [] })).length;
  let partBytes = emptyBytes;
  for (const event of response.events) {
    const eventBytes = fieldBytes(toBinary(EventSchema, event).length);
    if (partBytes > emptyBytes && partBytes + eventBytes >= MAX_FRAGMENT_BYTES) {
      parts.push([]);
      partBytes = emptyBytes;
    }
    parts.at(-1)?.push(event);
    partBytes += eventBytes;
  }
  return parts.map((events, index) =>
    create(WatchResponseSchema, { ...response, events, fragment: index < parts.length - 1 }),
  );
}

/** A message of `length` bytes as a field of another: its tag, its length in steps of 7 bits, itself. */
function fieldBytes(length: number): number {
  return 1 + Math.max(1, Math.ceil(Math.log2(length + 1) / 7)) + length;
}

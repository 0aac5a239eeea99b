import { create, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { WatchResponseSchema } from "../registry/etcd/proto/etcd_pb.js";
import { fragments } from "./watch-fragments.js";

const LIMIT = 2 * 1024 * 1024;

const event = (index: number, size: number) => ({
  kv: { key: Buffer.from(`key ${index}`), value: new Uint8Array(size) },
});

function respond(sizes: readonly number[]) {
  return create(WatchResponseSchema, { watchId: 7n, events: sizes.map((size, index) => event(index, size)) });
}

it("cuts between events, keeps every part under the limit, and marks all but the last", () => {
  const response = respond(Array(30).fill(200_000));
  const parts = fragments(response);
  expect(parts.map(({ fragment }) => fragment)).toEqual([true, true, false]);
  expect(parts.flatMap(({ events }) => events)).toEqual(response.events);
  for (const part of parts) {
    expect(part.watchId).toBe(7n);
    expect(toBinary(WatchResponseSchema, part).length).toBeLessThan(LIMIT);
  }
});

it("leaves whole what fits, and what cannot be cut", () => {
  expect(fragments(respond([100, 100]))).toMatchObject([{ fragment: false }]);
  expect(fragments(respond([3 * LIMIT]))).toMatchObject([{ fragment: false }]);
});

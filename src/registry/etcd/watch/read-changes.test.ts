import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Event_EventType, type WatchResponse, WatchResponseSchema } from "../proto/etcd_pb.js";
import type { Change } from "./position.js";
import { readChanges } from "./read-changes.js";

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = fc.uint8Array({ maxLength: 200 });
const text = fc.string({ unit: "binary" });
const kv = fc.record({
  key: text.map((key) => new TextEncoder().encode(key)),
  createRevision: int64,
  modRevision: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }), int64),
  version: int64,
  value: bytes,
  lease: int64,
});
const put = kv.map((kv) => ({ type: Event_EventType.PUT, kv }));
const deletion = kv.map(({ key, modRevision }) => ({ type: Event_EventType.DELETE, kv: { key, modRevision } }));
const header = fc.record({ clusterId: uint64, memberId: uint64, revision: int64, raftTerm: uint64 });
const changesOnly = fc.record({ header, events: fc.array(fc.oneof(put, deletion), { minLength: 1, maxLength: 5 }) });

const wire = (init: Parameters<typeof create<typeof WatchResponseSchema>>[1]) =>
  Buffer.from(toBinary(WatchResponseSchema, create(WatchResponseSchema, init)));

function changesOf({ events }: WatchResponse): readonly Change[] {
  return events.map(({ type, kv }) => {
    const change = { key: new TextDecoder().decode(kv?.key), modRevision: kv?.modRevision ?? 0n };
    return type === Event_EventType.DELETE
      ? change
      : { ...change, value: kv?.value ?? new Uint8Array(), lease: kv?.lease ?? 0n };
  });
}

const plain = (changes: readonly Change[] | undefined) =>
  changes?.map(({ value, ...change }) => ({ ...change, ...(value && { value: [...value] }) }));

it("reads what the generated code reads", () => {
  fc.assert(
    fc.property(changesOnly, (init) => {
      const message = wire(init);
      const read = readChanges(message);
      const exact = init.events.every(({ kv }) => kv.modRevision >= 0 && kv.modRevision <= Number.MAX_SAFE_INTEGER);
      if (exact) expect(plain(read)).toEqual(plain(changesOf(fromBinary(WatchResponseSchema, message))));
      else expect(read).toBeUndefined();
    }),
  );
});

it("leaves a message that was cut short to the generated code, which refuses it", () => {
  fc.assert(
    fc.property(changesOnly, fc.nat(), (init, at) => {
      const message = wire(init);
      const cut = message.subarray(0, at % message.length);
      const read = readChanges(cut);
      if (read) expect(plain(read)).toEqual(plain(changesOf(fromBinary(WatchResponseSchema, cut))));
    }),
  );
});

it("ends on any bytes, and takes none for changes that are not", () => {
  fc.assert(
    fc.property(bytes, (random) => {
      const read = readChanges(Buffer.from(random));
      if (read) expect(plain(read)).toEqual(plain(changesOf(fromBinary(WatchResponseSchema, random))));
    }),
    { numRuns: 1_000 },
  );
});

it.each([
  ["created", { created: true }],
  ["canceled", { canceled: true, cancelReason: "etcdserver: permission denied" }],
  ["compacted", { canceled: true, compactRevision: 7n }],
  ["a progress report", { header: { revision: 7n } }],
  ["a fragment", { fragment: true, events: [{ kv: { modRevision: 7n } }] }],
  ["an event with what was there before", { events: [{ kv: { modRevision: 7n }, prevKv: { modRevision: 6n } }] }],
])("leaves %s to the generated code", (_, init) => {
  expect(readChanges(wire(init))).toBeUndefined();
});

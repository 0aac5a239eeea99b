import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot.js";

const SNAPSHOT: Snapshot = {
  prefix: "/services/book/",
  members: ["10.0.0.1:2379"],
  header: { clusterId: 17_237_436_991_929_493_444n, raftTerm: 3n, revision: 9_007_199_254_740_993n },
  entries: [
    { key: "/services/book/10.0.0.1:1", value: Buffer.from("10.0.0.1:1"), modRevision: 5n, lease: 7n },
    {
      key: "/services/book/10.0.0.2:1",
      value: Buffer.from([0, 255, 10, 13]),
      modRevision: 9_007_199_254_740_993n,
      lease: 0n,
    },
  ],
  trueAtEpochMs: 1_795_000_000_000,
};
const textOf = (snapshot: Snapshot) => [...encodeSnapshot(snapshot)].join("");

describe("a snapshot", () => {
  it("comes back as it was written", () => {
    expect(decodeSnapshot(textOf(SNAPSHOT))).toEqual(SNAPSHOT);
    expect(decodeSnapshot(textOf({ ...SNAPSHOT, entries: [] }))).toEqual({ ...SNAPSHOT, entries: [] });
  });

  it("comes back with any keys and values, in pieces of some hundred", () => {
    const entry = fc.record({
      key: fc.string({ unit: "binary" }),
      value: fc.uint8Array(),
      modRevision: fc.bigInt(0n, 2n ** 63n - 1n),
      lease: fc.bigInt(0n, 2n ** 63n - 1n),
    });
    fc.assert(
      fc.property(fc.array(entry), (written) => {
        const entries = written.map((each) => ({ ...each, value: Buffer.from(each.value) }));
        expect(decodeSnapshot(textOf({ ...SNAPSHOT, entries })).entries).toEqual(entries);
      }),
    );
    const many = Array.from({ length: 1_200 }, (_, n) => ({
      key: `${n}`,
      value: Buffer.from(`${n}`),
      modRevision: BigInt(n),
      lease: 0n,
    }));
    expect([...encodeSnapshot({ ...SNAPSHOT, entries: many })]).toHaveLength(5);
    expect(decodeSnapshot(textOf({ ...SNAPSHOT, entries: many })).entries).toEqual(many);
  });

  it("is refused wherever it is cut off", () => {
    const text = textOf(SNAPSHOT);
    for (let length = 0; length < text.length - 1; length += 1) {
      expect(() => decodeSnapshot(text.slice(0, length)), text.slice(0, length)).toThrow(/damaged/);
    }
  });

  it("is refused wherever a character differs", () => {
    const text = textOf(SNAPSHOT);
    for (let at = 0; at < text.length - 1; at += 1) {
      const other = text[at] === "7" ? "8" : "7";
      expect(() => decodeSnapshot(text.slice(0, at) + other + text.slice(at + 1)), `at ${at}`).toThrow(
        /damaged|is of version/,
      );
    }
  });

  it.each([
    ["nothing", "", "is damaged, or no snapshot of rollcall"],
    ["another file", "registry=etcd\nttl=10\n", "is damaged, or no snapshot of rollcall"],
    ["JSON of another kind", '{"format":"other"}\n{}\n', "is damaged, or no snapshot of rollcall"],
    ["bytes", "\u0000\u0001\u0002\n\u0003\n", "is damaged, or no snapshot of rollcall"],
    [
      "a later version",
      '{"format":"rollcall snapshot","version":2}\n[]\n{"sha256":""}\n',
      "is of version 2, and this rollcall reads 1",
    ],
  ])("is not found in %s", (_what, text, reason) => {
    expect(() => decodeSnapshot(text)).toThrow(reason);
  });
});

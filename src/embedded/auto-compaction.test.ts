import { expect, it } from "vitest";
import { autoCompact } from "./auto-compaction.js";
import { singleKey } from "./key-range.js";
import { RevisionStore } from "./revision-store.js";

const bytes = (text: string) => Buffer.from(text);

function storeKeeping(kept: number) {
  const store = new RevisionStore();
  autoCompact(store, kept);
  return { store, put: (value: number) => store.write((view) => view.put(bytes("a"), bytes(`${value}`), 0n)) };
}

it("one key written for days takes no more room than its last revisions", () => {
  const { store, put } = storeKeeping(10);
  for (let value = 0; value < 1_000; value += 1) put(value);
  expect(store.sizeBytes).toBeLessThanOrEqual(2 * 10 * "a999".length);
  expect([...store.commitsFrom(1n)].length).toBeLessThanOrEqual(2 * 10 + 1);
});

it("the last revisions can always be read and watched", () => {
  const { store, put } = storeKeeping(10);
  for (let value = 0; value < 100; value += 1) {
    put(value);
    const tenBefore = store.revision - 10n;
    if (tenBefore < 2n) continue;
    expect(store.read(singleKey("a"), tenBefore)).toHaveLength(1);
    expect([...store.commitsFrom(tenBefore)][0]?.revision).toBe(tenBefore);
  }
  expect(() => store.read(singleKey("a"), 2n)).toThrow("required revision has been compacted");
});

it("a client that compacts further is not in its way", () => {
  const { store, put } = storeKeeping(10);
  for (let value = 0; value < 19; value += 1) put(value);
  store.compact(store.revision);
  put(20);
  put(21);
  expect(store.compactedRevision).toBe(20n);
});

import { expect, it } from "vitest";
import { keyRange } from "./key-range.js";
import { type Commit, RevisionStore } from "./revision-store.js";

const bytes = (text: string) => Buffer.from(text);
const all = keyRange(bytes("a"), bytes("\0"));

function storeWith(...values: readonly string[]): RevisionStore {
  const store = new RevisionStore();
  for (const value of values) store.write((view) => view.put(bytes("a"), bytes(value), 0n));
  return store;
}

it("begins at revision 1, as etcd does", () => {
  expect(new RevisionStore().revision).toBe(1n);
});

it("a write that changes nothing makes no revision and no commit", () => {
  const store = storeWith("1");
  const commits: Commit[] = [];
  store.observe((commit) => commits.push(commit));
  store.write((view) => view.deleteRange(keyRange(bytes("none"), bytes(""))));
  expect(store.revision).toBe(2n);
  expect(commits).toEqual([]);
});

it("tells a commit, with what was there before, before the write returns", () => {
  const store = storeWith("1");
  const told: string[] = [];
  const observation = store.observe(({ revision, changes }) => {
    for (const { kind, key, previous } of changes) told.push(`${revision} ${kind} ${key} ${previous?.value}`);
  });
  store.write((view) => {
    view.put(bytes("b"), bytes("x"), 0n);
    view.deleteRange(keyRange(bytes("a"), bytes("")));
  });
  expect(told).toEqual(["3 put b undefined", `3 delete a ${bytes("1")}`]);

  observation[Symbol.dispose]();
  store.write((view) => view.put(bytes("c"), bytes(""), 0n));
  expect(told).toHaveLength(2);
});

it("compaction frees the versions that nobody can read any more, and the keys that are gone", () => {
  const store = storeWith("one", "two", "three");
  store.write((view) => view.put(bytes("gone"), bytes("soon"), 0n));
  store.write((view) => view.deleteRange(keyRange(bytes("gone"), bytes(""))));
  const before = store.sizeBytes;
  store.compact(store.revision);
  expect(before).toBe("aone".length + "atwo".length + "athree".length + "gonesoon".length);
  expect(store.sizeBytes).toBe("athree".length);
  expect([...store.commitsFrom(1n)].map(({ revision }) => revision)).toEqual([store.revision]);
});

it("reads ten thousand keys at once, in order, whatever order they were put in", () => {
  const store = new RevisionStore();
  const names = Array.from({ length: 10_000 }, (_, index) => `k${(index * 7_919) % 10_000}`);
  for (const name of names) store.write((view) => view.put(bytes(name), bytes(""), 0n));
  const found = store.read(all).map(({ key }) => Buffer.from(key).toString());
  expect(found).toEqual(names.toSorted());
});

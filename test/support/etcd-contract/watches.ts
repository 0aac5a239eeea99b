import { WatchCreateRequest_FilterType as FilterType } from "../../../src/registry/etcd/proto/etcd_pb.js";
import { FROM_KEY, put, remove } from "./requests.js";
import type { Scenario } from "./scenario.js";

export const watches: readonly Scenario[] = [
  {
    name: "tells each revision in one response, with the values before it where asked",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("a", { rangeEnd: etcd.key("c") });
      await watch.create("a", { rangeEnd: etcd.key("c"), prevKv: true });
      await watch.create("b");
      await etcd.put("a", "1");
      await watch.next(2);
      await etcd.put("a", "1");
      await watch.next(2);
      await etcd.txn({ success: [put(etcd, "a"), put(etcd, "b"), put(etcd, "c"), remove(etcd, "none")] });
      await watch.next(3);
      await etcd.delete("a", { rangeEnd: etcd.key("z") });
      await watch.next(3);
      await etcd.put("c", "not watched");
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "replays history from a revision, in order, then follows",
    async run(etcd) {
      await etcd.put("a", "1");
      await etcd.put("b", "1");
      await etcd.put("a", "2");
      await etcd.txn({ success: [remove(etcd, "a"), put(etcd, "b"), put(etcd, "a/c")] });
      const watch = etcd.watch();
      for (const offset of [1, 3, 4]) {
        await watch.create("a", { rangeEnd: etcd.key("b0"), startRevision: etcd.at(offset), prevKv: true });
        await watch.next(1);
      }
      await etcd.put("b", "live");
      await watch.next(3);
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "a watch from the future hears nothing before its revision",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("a", { startRevision: etcd.at(3) });
      for (const value of ["1", "2", "3"]) await etcd.put("a", value);
      await watch.next(1);
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "a watch from before the compaction is created, then cancelled with the compact revision",
    async run(etcd) {
      for (const value of ["1", "2", "3"]) await etcd.put("a", value);
      await etcd.put("b", "1");
      await etcd.compact(3);
      const watch = etcd.watch();
      await watch.create("a", { startRevision: etcd.at(2) });
      await watch.next(1);
      await watch.create("a", { startRevision: etcd.at(3), prevKv: true });
      await watch.next(1);
      await etcd.put("a", "4");
      await watch.next(1);
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "the value before an event is left out when it was compacted away",
    async run(etcd) {
      for (const value of ["1", "2", "3", "4"]) await etcd.put("a", value);
      await etcd.compact(3);
      const watch = etcd.watch();
      await watch.create("a", { startRevision: etcd.at(3), prevKv: true });
      await watch.next(1);
      watch.close();
    },
  },
  {
    name: "catches up in batches of a thousand revisions, each with the current revision",
    async run(etcd) {
      for (let index = 0; index < 1_005; index += 1) await etcd.put(index % 2 ? "a" : "b", "x");
      const watch = etcd.watch();
      await watch.create("", { rangeEnd: etcd.key("c"), startRevision: etcd.at(1) });
      await watch.next(2);
      watch.close();
    },
  },
  {
    name: "cuts a large response into fragments when asked to",
    async run(etcd) {
      for (let index = 0; index < 15; index += 1) await etcd.put("a", `${index} ${"x".repeat(200_000)}`);
      const watch = etcd.watch();
      await watch.create("a", { startRevision: etcd.at(1), fragment: true });
      await watch.next(2);
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "a cancelled watch is confirmed once and hears no more",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("a");
      await watch.create("a");
      await watch.cancel(0n);
      await watch.next(1);
      await watch.cancel(0n);
      await watch.cancel(77n);
      await etcd.put("a", "1");
      await watch.next(1);
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "takes the client's watch ids, refuses one in use, numbers the others from 0",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("a", { watchId: 1n });
      await watch.create("a", { watchId: 1n });
      await watch.create("a");
      await watch.create("a");
      await watch.create("a", { watchId: 7n });
      await watch.cancel(1n);
      await watch.next(1);
      await watch.create("a", { watchId: 1n });
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "refuses an empty range, and takes an absent key as the lowest",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("b", { rangeEnd: etcd.key("a") });
      await watch.create("b", { rangeEnd: etcd.key("b") });
      await watch.create("", { key: new Uint8Array() });
      await watch.create("", { key: new Uint8Array(), rangeEnd: FROM_KEY });
      await etcd.put("a", "1");
      await watch.next(1);
      watch.close();
    },
  },
  {
    name: "leaves out the kinds of event that are filtered",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("a", { filters: [FilterType.NOPUT] });
      await watch.create("a", { filters: [FilterType.NODELETE] });
      await watch.create("a", { filters: [FilterType.NODELETE, FilterType.NOPUT] });
      await etcd.put("a", "1");
      await watch.next(1);
      await etcd.delete("a");
      await watch.next(1);
      await watch.rest();
      watch.close();
    },
  },
  {
    name: "a progress request is answered for the whole stream",
    notBefore35: "3.4.23 answers before a first event only by luck (etcd #17507)",
    async run(etcd) {
      const watch = etcd.watch();
      await watch.create("a");
      await watch.create("b");
      await etcd.put("c", "");
      await watch.progress();
      await watch.next(1);
      await etcd.put("a", "");
      await watch.next(1);
      await watch.progress();
      await watch.next(1);
      watch.close();
    },
  },
];

import {
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "../../../src/registry/etcd/proto/etcd_pb.js";
import { bytes } from "../etcd-transcript.js";
import { FROM_KEY, put } from "./requests.js";
import type { Scenario } from "./scenario.js";

const MEBIBYTE = 1024 * 1024;

export const kv: readonly Scenario[] = [
  {
    name: "puts, reads, overwrites and deletes a key",
    async run(etcd) {
      await etcd.put("a", "1");
      await etcd.put("a", "1");
      await etcd.put("a", "2", { prevKv: true });
      await etcd.range("a");
      await etcd.delete("a", { prevKv: true });
      await etcd.range("a");
      await etcd.put("a", "anew", { prevKv: true });
      await etcd.range("a");
    },
  },
  {
    name: "a deletion that finds nothing makes no revision",
    async run(etcd) {
      await etcd.delete("nothing");
      await etcd.delete("a", { rangeEnd: etcd.key("z"), prevKv: true });
      await etcd.put("a", "");
    },
  },
  {
    name: "ranges: prefix, from a key on, empty, single",
    async run(etcd) {
      for (const name of ["b/1", "b/2", "b", "c", "ba"]) await etcd.put(name, name);
      await etcd.range("b/", { rangeEnd: etcd.key("b0") });
      await etcd.range("b", { rangeEnd: FROM_KEY, keysOnly: true });
      await etcd.range("c", { rangeEnd: etcd.key("b") });
      await etcd.range("b", { rangeEnd: etcd.key("b") });
      await etcd.delete("b", { rangeEnd: etcd.key("c"), prevKv: true });
      await etcd.range("a", { rangeEnd: etcd.key("z") });
    },
  },
  {
    name: "limit, more, count, keys only, count only",
    async run(etcd) {
      for (const name of ["a", "b", "c", "d", "e"]) await etcd.put(name, `value of ${name}`);
      const all = { rangeEnd: etcd.key("z") };
      for (const limit of [0n, 1n, 4n, 5n, 6n, -1n]) await etcd.range("a", { ...all, limit });
      await etcd.range("a", { ...all, keysOnly: true });
      await etcd.range("a", { ...all, countOnly: true });
      await etcd.range("a", { ...all, countOnly: true, limit: 2n });
      await etcd.range("a", { ...all, serializable: true, limit: 2n, revision: etcd.at(3) });
    },
  },
  {
    name: "sorts by every target in both orders",
    async run(etcd) {
      for (const [name, value] of [
        ["a", "3"],
        ["b", "1"],
        ["c", "2"],
        ["a", "2"],
        ["b", "9"],
        ["b", "0"],
      ] as const) {
        await etcd.put(name, value);
      }
      const { KEY, VERSION, CREATE, MOD, VALUE } = SortTarget;
      for (const sortTarget of [KEY, VERSION, CREATE, MOD, VALUE]) {
        for (const sortOrder of [SortOrder.NONE, SortOrder.ASCEND, SortOrder.DESCEND]) {
          await etcd.range("a", { rangeEnd: etcd.key("z"), sortTarget, sortOrder, limit: 2n });
        }
      }
    },
  },
  {
    name: "filters by revisions",
    async run(etcd) {
      for (const name of ["a", "b", "c", "a"]) await etcd.put(name, "");
      const all = { rangeEnd: etcd.key("z") };
      await etcd.range("a", { ...all, minModRevision: etcd.at(3) });
      await etcd.range("a", { ...all, maxModRevision: etcd.at(3), limit: 1n });
      await etcd.range("a", { ...all, minCreateRevision: etcd.at(2) });
      await etcd.range("a", { ...all, maxCreateRevision: etcd.at(2) });
      await etcd.range("a", { ...all, minModRevision: etcd.at(9) });
    },
  },
  {
    name: "ignore_value and ignore_lease keep what was there",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 1001n, TTL: 600n });
      await etcd.put("a", "kept", { lease: 1001n });
      await etcd.put("a", "changed", { ignoreLease: true });
      await etcd.range("a");
      await etcd.put("a", "", { ignoreValue: true });
      await etcd.range("a");
      await etcd.put("nothing", "", { ignoreValue: true });
      await etcd.put("nothing", "x", { ignoreLease: true });
      await etcd.put("a", "x", { ignoreValue: true });
      await etcd.put("a", "x", { ignoreLease: true, lease: 1001n });
      await etcd.call("leaseRevoke", { ID: 1001n });
    },
  },
  {
    name: "refuses in etcd's words",
    async run(etcd) {
      await etcd.call("range", {});
      await etcd.call("put", { value: bytes("x") });
      await etcd.call("deleteRange", {});
      await etcd.range("a", { revision: etcd.at(100) });
      await etcd.compact(100);
      await etcd.put("a", "", { lease: 404n });
      await etcd.call("leaseRevoke", { ID: 404n });
      await etcd.call("leaseGrant", { ID: 1002n, TTL: 9_000_000_001n });
    },
  },
  {
    name: "a request over 1.5 MiB is too large, one just under is not",
    async run(etcd) {
      await etcd.put("a", "x".repeat(1.5 * MEBIBYTE + 1));
      await etcd.put("a", "x".repeat(1.5 * MEBIBYTE - 1024));
      await etcd.range("a");
      const half = { value: bytes("x".repeat(900_000)) };
      await etcd.txn({ success: [put(etcd, "b", half), put(etcd, "c", half)] });
    },
  },
  {
    name: "reads at any revision until compaction, then refuses",
    async run(etcd) {
      await etcd.put("a", "1");
      await etcd.put("b", "1");
      await etcd.put("a", "2");
      await etcd.delete("b");
      await etcd.put("a", "3");
      const all = { rangeEnd: etcd.key("z") };
      for (const offset of [1, 2, 3, 4, 5, 6]) await etcd.range("a", { ...all, revision: etcd.at(offset) });
      await etcd.range("a", { ...all, revision: -5n });
      await etcd.compact(4);
      for (const offset of [3, 4, 5]) await etcd.range("a", { ...all, revision: etcd.at(offset) });
      await etcd.compact(4);
      await etcd.compact(3);
      await etcd.call("compact", { revision: 0n });
      await etcd.compact(5);
      await etcd.range("a", { ...all, revision: etcd.at(5) });
    },
  },
];

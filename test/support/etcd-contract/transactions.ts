import {
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
} from "../../../src/registry/etcd/proto/etcd_pb.js";
import { bytes } from "../etcd-transcript.js";
import { compare, FROM_KEY, put, range, remove } from "./requests.js";
import type { Scenario } from "./scenario.js";

export const transactions: readonly Scenario[] = [
  {
    name: "takes one branch as one revision, and reads its own writes",
    async run(etcd) {
      await etcd.put("a", "1");
      await etcd.txn({
        compare: [compare(etcd, "a", CompareTarget.VERSION, "version", 1n)],
        success: [range(etcd, "b"), put(etcd, "b", { value: bytes("x") }), range(etcd, "b"), remove(etcd, "a")],
        failure: [put(etcd, "c")],
      });
      await etcd.txn({
        compare: [compare(etcd, "a", CompareTarget.VERSION, "version", 1n)],
        success: [put(etcd, "c")],
        failure: [range(etcd, "b"), put(etcd, "b", { prevKv: true }), remove(etcd, "none"), range(etcd, "b")],
      });
      await etcd.range("a", { rangeEnd: etcd.key("z") });
      await etcd.txn({});
      await etcd.txn({ success: [range(etcd, "b"), remove(etcd, "none")] });
    },
  },
  {
    name: "compares version, revisions, value and lease, over ranges and missing keys",
    async run(etcd) {
      await etcd.call("leaseGrant", { ID: 1003n, TTL: 600n });
      await etcd.put("a", "m", { lease: 1003n });
      await etcd.put("b", "m");
      const { EQUAL, GREATER, LESS, NOT_EQUAL } = CompareResult;
      for (const name of ["a", "missing"]) {
        for (const result of [EQUAL, GREATER, LESS, NOT_EQUAL]) {
          for (const [target, union, value] of [
            [CompareTarget.VERSION, "version", 1n],
            [CompareTarget.CREATE, "createRevision", etcd.at(1)],
            [CompareTarget.MOD, "modRevision", etcd.at(1)],
            [CompareTarget.VALUE, "value", bytes("m")],
            [CompareTarget.LEASE, "lease", 1003n],
          ] as const) {
            await etcd.txn({ compare: [compare(etcd, name, target, union, value, { result })] });
          }
        }
      }
      const toZ = { rangeEnd: etcd.key("z") };
      await etcd.txn({ compare: [compare(etcd, "a", CompareTarget.VALUE, "value", bytes("m"), toZ)] });
      await etcd.txn({ compare: [compare(etcd, "a", CompareTarget.LEASE, "lease", 1003n, toZ)] });
      await etcd.txn({ compare: [compare(etcd, "y", CompareTarget.CREATE, "createRevision", 0n, toZ)] });
      await etcd.txn({ compare: [{ key: etcd.key("missing"), target: CompareTarget.MOD }] });
      await etcd.txn({ compare: [{ key: etcd.key("a"), target: CompareTarget.VALUE }] });
      await etcd.call("leaseRevoke", { ID: 1003n });
    },
  },
  {
    name: "refuses a key that one branch changes twice",
    async run(etcd) {
      await etcd.txn({ success: [put(etcd, "a"), put(etcd, "a")] });
      await etcd.txn({ success: [put(etcd, "a"), remove(etcd, "a")] });
      await etcd.txn({ success: [remove(etcd, "a", { rangeEnd: FROM_KEY }), put(etcd, "b")] });
      await etcd.txn({ failure: [put(etcd, "a"), put(etcd, "a")] });
      await etcd.txn({ success: [put(etcd, "a")], failure: [put(etcd, "a")] });
      await etcd.txn({ success: [remove(etcd, "a"), remove(etcd, "a", { rangeEnd: etcd.key("z") }), put(etcd, "zz")] });
      await etcd.range("a", { rangeEnd: FROM_KEY });
    },
  },
  {
    name: "refuses more than 128 operations, and what its operations alone would be refused for",
    async run(etcd) {
      const puts = Array.from({ length: 129 }, (_, index) => put(etcd, `k${index}`));
      await etcd.txn({ success: puts });
      await etcd.txn({ failure: puts });
      await etcd.txn({ compare: puts.map(() => compare(etcd, "a", CompareTarget.MOD, "modRevision", 0n)) });
      await etcd.txn({ success: puts.slice(1) });
      await etcd.txn({ success: [{}] });
      await etcd.txn({ success: [{ request: { case: "requestPut", value: {} } }] });
      await etcd.txn({ compare: [{ target: CompareTarget.MOD }] });
      await etcd.txn({ success: [put(etcd, "a", { lease: 404n })] });
      await etcd.txn({ success: [put(etcd, "none", { ignoreValue: true })] });
      await etcd.txn({ success: [put(etcd, "a", { ignoreValue: true, value: bytes("x") })] });
      await etcd.txn({ success: [put(etcd, "a"), range(etcd, "a", { revision: etcd.at(50) })] });
      await etcd.txn({ success: [range(etcd, "a", { revision: etcd.at(50) })] });
      await etcd.range("a");
    },
  },
];

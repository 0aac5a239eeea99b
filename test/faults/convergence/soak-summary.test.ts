import { expect, it } from "vitest";
import { newSoakSummary } from "./soak-summary.js";

const outcome = { etcd: "3.5", violations: [], done: { "members: wipe all": 2 }, views: 10, unknowable: 1, events: 7 };

it("adds the outcomes of all seeds up, and names those that failed", () => {
  const summary = newSoakSummary();
  summary.add({ ...outcome, seed: 1, settledMs: 400 });
  summary.add({ ...outcome, seed: 2, settledMs: 1_250, etcd: "3.4" });
  summary.add({ ...outcome, seed: 3, violations: [{ check: "exactness", atMs: 0, what: "" }] });
  summary.addFailure(4);
  expect(summary.violated).toEqual([3]);
  expect(summary.failed).toEqual([4]);
  expect(summary.markdown(150_000).split("\n")).toEqual([
    "| | |",
    "|---|---|",
    "| time | 3 min |",
    "| seeds | 1 on etcd 3.4, 2 on etcd 3.5 |",
    "| violations | 1, of the seeds 3 |",
    "| seeds that could not be carried out | 1: 4 |",
    "| changes of keys in etcd | 21 |",
    "| views held against the history | 27 exact or a violation, 3 lost to a wipe |",
    "| from the last fault until all was as it should be | p50 0.4 s, p99 1.3 s, max 1.3 s; the bound is 13 s |",
    "| members: wipe all | 6 |",
    "",
  ]);
});

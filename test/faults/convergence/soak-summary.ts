/** Adds outcomes up, in figures that take no more room however long a soak is. */
import type { Outcome } from "./outcome.js";
import { BOUND_MS } from "./recording.js";

export interface SoakSummary {
  add(outcome: Outcome): void;
  /** A seed that could not be carried out. */
  addFailure(seed: number): void;
  readonly violated: readonly number[];
  readonly failed: readonly number[];
  markdown(tookMs: number): string;
}

export function newSoakSummary(): SoakSummary {
  const violated: number[] = [];
  const failed: number[] = [];
  const settledMs: number[] = [];
  const done = new Map<string, number>();
  const seedsOf = new Map<string, number>();
  let [violations, views, unknowable, events] = [0, 0, 0, 0];
  return {
    violated,
    failed,
    add(outcome) {
      if (outcome.violations.length > 0) violated.push(outcome.seed);
      violations += outcome.violations.length;
      views += outcome.views;
      unknowable += outcome.unknowable;
      events += outcome.events;
      seedsOf.set(outcome.etcd, (seedsOf.get(outcome.etcd) ?? 0) + 1);
      if (outcome.settledMs !== undefined) settledMs.push(outcome.settledMs);
      for (const [kind, times] of Object.entries(outcome.done)) done.set(kind, (done.get(kind) ?? 0) + times);
    },
    addFailure: (seed) => void failed.push(seed),
    markdown(tookMs) {
      const sorted = settledMs.sort((a, b) => a - b);
      const quantile = (q: number) => ((sorted[Math.ceil(q * sorted.length) - 1] ?? 0) / 1_000).toFixed(1);
      const versions = [...seedsOf].sort().map(([version, seeds]) => `${seeds} on etcd ${version}`);
      const kinds = [...done].sort(([a], [b]) => (a < b ? -1 : 1));
      return [
        "| | |",
        "|---|---|",
        `| time | ${(tookMs / 60_000).toFixed(0)} min |`,
        `| seeds | ${versions.join(", ") || "none"} |`,
        `| violations | ${violations}${violated.length > 0 ? `, of the seeds ${violated.join(", ")}` : ""} |`,
        `| seeds that could not be carried out | ${failed.length}${failed.length > 0 ? `: ${failed.join(", ")}` : ""} |`,
        `| changes of keys in etcd | ${events} |`,
        `| views held against the history | ${views - unknowable} exact or a violation, ${unknowable} lost to a wipe |`,
        `| from the last fault until all was as it should be | p50 ${quantile(0.5)} s, p99 ${quantile(0.99)} s, max ${quantile(1)} s; the bound is ${BOUND_MS / 1_000} s |`,
        ...kinds.map(([kind, times]) => `| ${kind} | ${times} |`),
        "",
      ].join("\n");
    },
  };
}

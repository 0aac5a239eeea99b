/** What the demo says at its end, and whether everything that it promises was seen. */
import type { Finding, InstanceCount, Snapshot, Summary } from "./events.js";

/** Found dead by its refused connection, not by its lease, which lives on for up to 10 s. */
const FOUND_DEAD_WITHIN_MS = 1_000;

export interface Played {
  /** Who answered the eight calls, in their order. */
  readonly eight: readonly string[];
  readonly counts: Snapshot;
  /** When it was killed, and when the client's view no longer had it. */
  readonly killed: { readonly address: string; readonly atMs: number; readonly goneAtMs: number };
  /** Drained, stopped and started again; when it was back. */
  readonly restarted: { readonly address: string; readonly atMs: number };
  readonly joined: string;
  /** Registered as `book`, and none of the demo's servers. */
  readonly strangers: readonly string[];
  readonly elapsedMs: number;
}

export function summarize({ eight, counts, killed, restarted, joined, strangers, elapsedMs }: Played): Summary {
  const of = (address: string) => counts.instances.find((instance) => instance.address === address);
  const lastAttemptAfterMs = Math.max(0, (of(killed.address)?.lastAttemptAtMs ?? 0) - killed.atMs);
  const spread = tally(eight);
  const findings: Finding[] = [
    { what: "eight calls went round: 3, 3 and 2", seen: isThreeThreeTwo(Object.values(spread)) },
    { what: "no call failed", seen: counts.calls > 0 && counts.failed === 0 },
    {
      what: `the killed server got no call later than ${FOUND_DEAD_WITHIN_MS} ms after its end`,
      seen: lastAttemptAfterMs <= FOUND_DEAD_WITHIN_MS,
    },
    {
      what: "the drained server ended without an error, and got calls again when it was back",
      seen: of(restarted.address)?.errors === 0 && calledAfter(of(restarted.address), restarted.atMs),
    },
    { what: "the fourth server got calls", seen: calledAfter(of(joined), 0) },
  ];
  if (strangers.length > 0) {
    const what = `nobody else registered as "book"; ${strangers.join(", ")} did, and got calls: end it, and play again`;
    findings.push({ what, seen: false });
  }
  return {
    calls: counts.calls,
    failed: counts.failed,
    slowestMs: counts.slowestMs,
    eight: spread,
    byInstance: Object.fromEntries(counts.instances.map(({ address, calls }) => [address, calls])),
    killed: { address: killed.address, lastAttemptAfterMs, goneAfterMs: killed.goneAtMs - killed.atMs },
    findings,
    elapsedMs,
    ok: findings.every(({ seen }) => seen),
  };
}

function calledAfter(instance: InstanceCount | undefined, sinceMs: number): boolean {
  return instance !== undefined && instance.calls > 0 && instance.lastAttemptAtMs > sinceMs;
}

function isThreeThreeTwo(calls: readonly number[]): boolean {
  return [...calls].sort().join() === "2,3,3";
}

function tally(addresses: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const address of addresses) counts[address] = (counts[address] ?? 0) + 1;
  return counts;
}

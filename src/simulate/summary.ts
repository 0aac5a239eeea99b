/** A recording, or several of one kind, as numbers. */
import type { Recording } from "./recording.js";
import { phaseAt, type Scenario, serversOf } from "./scenario.js";

export interface Summary {
  readonly calls: number;
  readonly failed: number;
  /** Attempts that servers saw or refused, the first of each call included. */
  readonly attempts: number;
  /** Of the calls that succeeded. */
  readonly latencyMs: {
    readonly mean: number;
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
  };
  /** Attempts at servers that were not as they should be at that time. */
  readonly faulty: number;
  /** Attempts made anywhere while there was such a server. */
  readonly whileFaulty: number;
  /** Attempts by server, in the scenario's order. */
  readonly byServer: readonly number[];
}

/** Over all of them together; they are of one scenario. */
export function summarize(recordings: readonly Recording[]): Summary {
  const [first] = recordings;
  const servers = first === undefined ? [] : serversOf(first.scenario);
  const byServer = servers.map(() => 0);
  let calls = 0;
  let attempts = 0;
  let faulty = 0;
  let whileFaulty = 0;
  for (const recording of recordings) {
    calls += recording.calls.length;
    attempts += recording.attempts.length;
    const ill = illAt(recording.scenario);
    for (const { atMs, server } of recording.attempts) {
      byServer[server] = (byServer[server] ?? 0) + 1;
      if (!ill(atMs)) continue;
      whileFaulty += 1;
      const group = servers[server]?.group;
      if (group !== undefined && phaseAt(group, atMs) !== undefined) faulty += 1;
    }
  }
  const latencies = latenciesOf(recordings);
  return {
    calls,
    failed: calls - latencies.length,
    attempts,
    latencyMs: {
      mean: latencies.reduce((sum, each) => sum + each, 0) / latencies.length,
      p50: percentile(latencies, 0.5),
      p90: percentile(latencies, 0.9),
      p99: percentile(latencies, 0.99),
      p999: percentile(latencies, 0.999),
      max: percentile(latencies, 1),
    },
    faulty,
    whileFaulty,
    byServer,
  };
}

/** How long the calls took that succeeded, ascending. */
export function latenciesOf(recordings: readonly Recording[]): Float64Array {
  const succeeded = recordings.flatMap(({ calls }) => calls.filter(({ ok }) => ok));
  return Float64Array.from(succeeded, ({ tookMs }) => tookMs).sort();
}

/** The smallest of `sorted` that is not below `share` of them; NaN of none. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Whether any server is in a phase. */
function illAt({ servers }: Scenario): (nowMs: number) => boolean {
  const ill = servers.filter(({ phases = [] }) => phases.length > 0);
  return (nowMs) => ill.some((group) => phaseAt(group, nowMs) !== undefined);
}

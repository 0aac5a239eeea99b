/** What many calls amount to, in a space that does not grow with them. */
import { createHistogram } from "node:perf_hooks";
import type { CallResult } from "./call-result.js";

/** A call that takes longer counts as slow, successful or not. */
const SLOW_MS = 500;

export interface Summary {
  readonly calls: number;
  readonly ok: number;
  readonly failed: number;
  readonly slow: number;
  readonly elapsedMs: number;
  readonly callsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  /** Answered calls for each address. */
  readonly byInstance: Readonly<Record<string, number>>;
}

export class Tally {
  // In microseconds, exact to three figures.
  readonly #micros = createHistogram();
  readonly #byInstance = new Map<string, number>();
  #calls = 0;
  #ok = 0;
  #slow = 0;
  #maxMs = 0;

  add(result: CallResult): void {
    this.#calls += 1;
    if (result.ms > SLOW_MS) this.#slow += 1;
    this.#maxMs = Math.max(this.#maxMs, result.ms);
    this.#micros.record(Math.max(1, Math.round(result.ms * 1_000)));
    if (!result.ok) return;
    this.#ok += 1;
    this.#byInstance.set(result.address, (this.#byInstance.get(result.address) ?? 0) + 1);
  }

  summary(elapsedMs: number): Summary {
    const percentile = (percent: number) => Math.min(roundMs(this.#micros.percentile(percent) / 1_000), this.#maxMs);
    return {
      calls: this.#calls,
      ok: this.#ok,
      failed: this.#calls - this.#ok,
      slow: this.#slow,
      elapsedMs: Math.round(elapsedMs),
      callsPerSecond: roundMs((this.#calls * 1_000) / Math.max(elapsedMs, 1)),
      latencyMs: { p50: percentile(50), p90: percentile(90), p99: percentile(99), max: this.#maxMs },
      byInstance: Object.fromEntries([...this.#byInstance].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
}

/** Milliseconds to a hundredth: enough to tell calls apart, short enough to read. */
export function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

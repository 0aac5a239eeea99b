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
  /** The calls whose last attempt was made at each address. */
  readonly instances: Readonly<Record<string, InstanceSummary>>;
}

export interface InstanceSummary {
  readonly ok: number;
  readonly failed: number;
  readonly slow: number;
  /** Of whole calls, attempts elsewhere included, in milliseconds. */
  readonly p99: number;
}

/** In microseconds, exact to three figures. */
class Latencies {
  readonly #micros = createHistogram();
  maxMs = 0;
  slow = 0;

  add(ms: number): void {
    if (ms > SLOW_MS) this.slow += 1;
    this.maxMs = Math.max(this.maxMs, ms);
    this.#micros.record(Math.max(1, Math.round(ms * 1_000)));
  }

  percentile(percent: number): number {
    return Math.min(roundMs(this.#micros.percentile(percent) / 1_000), this.maxMs);
  }
}

interface InstanceTally {
  ok: number;
  failed: number;
  readonly latencies: Latencies;
}

export class Tally {
  readonly #latencies = new Latencies();
  readonly #instances = new Map<string, InstanceTally>();
  #calls = 0;
  #ok = 0;

  add({ ok, address, ms }: CallResult): void {
    this.#calls += 1;
    if (ok) this.#ok += 1;
    this.#latencies.add(ms);
    if (address === undefined) return;
    const instance = this.#instances.get(address) ?? { ok: 0, failed: 0, latencies: new Latencies() };
    this.#instances.set(address, instance);
    instance[ok ? "ok" : "failed"] += 1;
    instance.latencies.add(ms);
  }

  summary(elapsedMs: number): Summary {
    const { slow, maxMs } = this.#latencies;
    const percentile = (percent: number) => this.#latencies.percentile(percent);
    const instances = [...this.#instances].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      calls: this.#calls,
      ok: this.#ok,
      failed: this.#calls - this.#ok,
      slow,
      elapsedMs: Math.round(elapsedMs),
      callsPerSecond: roundMs((this.#calls * 1_000) / Math.max(elapsedMs, 1)),
      latencyMs: { p50: percentile(50), p90: percentile(90), p99: percentile(99), max: maxMs },
      byInstance: Object.fromEntries(
        instances.filter(([, { ok }]) => ok > 0).map(([address, { ok }]) => [address, ok]),
      ),
      instances: Object.fromEntries(
        instances.map(([address, { ok, failed, latencies }]) => [
          address,
          { ok, failed, slow: latencies.slow, p99: latencies.percentile(99) },
        ]),
      ),
    };
  }
}

/** Milliseconds to a hundredth: enough to tell calls apart, short enough to read. */
export function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** What the demo's client counts: its calls, and its attempts at each instance. */

const LATENCIES_KEPT = 200;

interface Tally {
  attempts: number;
  calls: number;
  errors: number;
  lastAttemptAtMs: number;
  readonly latencies: Latencies;
}

export class Counts {
  readonly #instances = new Map<string, Tally>();
  readonly #latencies = new Latencies();
  #calls = 0;
  #failed = 0;

  beginCall() {
    const startedMs = performance.now();
    const end = () => {
      this.#calls += 1;
      this.#latencies.add(performance.now() - startedMs);
    };
    return {
      succeeded: end,
      failed: () => {
        end();
        this.#failed += 1;
      },
    };
  }

  /** An attempt at an instance. One that lost against a faster one ends as neither. */
  begin(address: string) {
    const startedMs = performance.now();
    const tally = this.#tally(address);
    tally.attempts += 1;
    tally.lastAttemptAtMs = Date.now();
    return {
      answered: () => {
        tally.calls += 1;
        tally.latencies.add(performance.now() - startedMs);
      },
      failed: () => {
        tally.errors += 1;
      },
    };
  }

  /** With the state of each endpoint; an instance without one is `gone`. */
  snapshot(endpoints: readonly { readonly address: string; readonly state: string }[]) {
    for (const { address } of endpoints) this.#tally(address);
    const stateOf = (address: string) => endpoints.find((endpoint) => endpoint.address === address)?.state ?? "gone";
    return {
      calls: this.#calls,
      failed: this.#failed,
      ...this.#latencies.figures(),
      instances: [...this.#instances].map(([address, { latencies, ...tally }]) => ({
        address,
        endpoint: stateOf(address),
        ...tally,
        ...latencies.figures(),
      })),
    };
  }

  #tally(address: string): Tally {
    const known = this.#instances.get(address);
    if (known) return known;
    const tally = { attempts: 0, calls: 0, errors: 0, lastAttemptAtMs: 0, latencies: new Latencies() };
    this.#instances.set(address, tally);
    return tally;
  }
}

class Latencies {
  readonly #last: number[] = [];
  #slowestMs = 0;

  add(ms: number): void {
    this.#last.push(ms);
    if (this.#last.length > LATENCIES_KEPT) this.#last.shift();
    this.#slowestMs = Math.max(this.#slowestMs, ms);
  }

  /** Percentiles of the last 200, the slowest of all. */
  figures() {
    const sorted = [...this.#last].sort((a, b) => a - b);
    const percentile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      p50Ms: rounded(percentile(0.5)),
      p99Ms: rounded(percentile(0.99)),
      slowestMs: rounded(this.#slowestMs),
    };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}

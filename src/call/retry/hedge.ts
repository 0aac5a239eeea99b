/**
 * When to send a second copy of a call that takes long, beside the first ("The Tail at Scale"; Finagle's
 * `BackupRequestFilter`; gRFC A6 hedging).
 *
 * Why at a live percentile: a fixed delay is too late when the service is fast and doubles the load when it is slow. One that
 * a share of 1 − maxExtraLoad of the calls stay below leaves about maxExtraLoad of them to be sent twice, whatever the service
 * does; and an allowance holds that share while latencies change faster than the window sees them.
 *
 * A loser counts with the time that it had taken when it lost: it took at least so long. Were it left out, only calls below
 * the delay would be measured, and the delay would shrink without end.
 */
import { checkNumber, checkWindow } from "../../check-number.js";
import { checkDuration } from "../../deadline-queue.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { type RetryBudget, retryBudget } from "./budget.js";
import { LatencyWindow } from "./latency-window.js";

export interface HedgeOptions {
  /**
   * The share of calls that may be sent twice for this, and so how long a call has to take: longer than all but this share of
   * its method; default 0.05, the 95th percentile. (Finagle: `maxExtraLoad`.)
   */
  readonly maxExtraLoad?: number | undefined;
  /** The least time before a second copy, for services faster than a timer; default 1 ms. (Finagle: `minSendBackupAfterMs`.) */
  readonly minDelayMs?: number | undefined;
  /** How far back latencies are measured; default 30,000 ms. (Finagle: 5 times 6 s.) */
  readonly windowMs?: number | undefined;
}

const DEFAULTS = { maxExtraLoad: 0.05, minDelayMs: 1, windowMs: 30_000 };
const KNOWN: Readonly<Record<keyof HedgeOptions, true>> = { maxExtraLoad: true, minDelayMs: true, windowMs: true };

/** So many calls have to lie beyond a percentile before it is believed. */
const BEYOND = 5;
/** Methods measured apart; those that come later share one measure. A service has fewer. */
const METHODS = 256;

export function checkHedge(options: HedgeOptions): void {
  refuseUnknownOptions("hedge", options, KNOWN);
  const { maxExtraLoad = DEFAULTS.maxExtraLoad, windowMs = DEFAULTS.windowMs } = options;
  checkNumber("hedge.maxExtraLoad", maxExtraLoad, "above 0 and below 1", maxExtraLoad > 0 && maxExtraLoad < 1);
  checkDuration("hedge.minDelayMs", options.minDelayMs);
  checkWindow("hedge.windowMs", windowMs);
}

/** Of the calls of one client. Times are the caller's monotonic clock. */
export class Hedging {
  readonly #maxExtraLoad: number;
  readonly #minDelayMs: number;
  readonly #windowMs: number;
  readonly #allowance: RetryBudget;
  readonly #methods = new Map<string, LatencyWindow>();

  constructor({
    maxExtraLoad = DEFAULTS.maxExtraLoad,
    minDelayMs = DEFAULTS.minDelayMs,
    windowMs = DEFAULTS.windowMs,
  }: HedgeOptions) {
    this.#maxExtraLoad = maxExtraLoad;
    this.#minDelayMs = minDelayMs;
    this.#windowMs = windowMs;
    this.#allowance = retryBudget({ ratio: maxExtraLoad, reservePerSecond: 0, windowMs });
  }

  /** A call was made. */
  deposit(nowMs: number): void {
    this.#allowance.deposit(nowMs);
  }

  /** Takes one second copy out of the allowance, if there is one. */
  withdraw(nowMs: number): boolean {
    return this.#allowance.withdraw(nowMs);
  }

  /** An attempt took so long to be answered, or had no answer by then. */
  record(method: string | undefined, elapsedMs: number, nowMs: number): void {
    this.#window(method).record(elapsedMs, nowMs);
  }

  /** How long an attempt may take before a second copy is sent; `Infinity` as long as too little is known. */
  delayMs(method: string | undefined, nowMs: number): number {
    const window = this.#window(method);
    if (window.count(nowMs) * this.#maxExtraLoad < BEYOND) return Number.POSITIVE_INFINITY;
    return Math.max(this.#minDelayMs, window.quantile(1 - this.#maxExtraLoad, nowMs));
  }

  /** What half of the attempts take at least; 0 as long as too little is known. */
  medianMs(method: string | undefined, nowMs: number): number {
    const window = this.#window(method);
    return window.count(nowMs) < BEYOND ? 0 : window.quantile(0.5, nowMs);
  }

  #window(method = ""): LatencyWindow {
    const key = this.#methods.size < METHODS || this.#methods.has(method) ? method : "";
    let window = this.#methods.get(key);
    if (window === undefined) {
      window = new LatencyWindow(this.#windowMs);
      this.#methods.set(key, window);
    }
    return window;
  }
}

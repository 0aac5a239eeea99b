/**
 * How many attempts may be made beyond the first ones.
 *
 * Why a budget and not only a maximum of attempts: when everything fails, three attempts a call are three times the load on
 * servers that are already down. A budget grows with the calls that are made, so retries stay a fraction of them (Finagle's
 * RetryBudget, Linkerd's `retry_budget`; gRPC's retry throttling has the same aim).
 */
import { checkNumber, checkWindow } from "../../check-number.js";
import { refuseUnknownOptions } from "../../known-options.js";

export interface RetryBudgetOptions {
  /** Retries earned by each call; default 0.2. (Finagle: `percentCanRetry`.) */
  readonly ratio?: number | undefined;
  /** Retries a second that are granted however few calls there are; default 10. (Finagle: `minRetriesPerSec`.) */
  readonly reservePerSecond?: number | undefined;
  /** How long what was earned can be spent, about; default 10,000 ms. (Finagle: `ttl`.) */
  readonly windowMs?: number | undefined;
}

/**
 * One budget per service: shared by its retries and by whatever else sends a call twice. Time is the caller's monotonic
 * clock, which has been read anyway.
 */
export interface RetryBudget {
  /** A call was made. */
  deposit(nowMs: number): void;
  /** Takes one retry out, if there is one. */
  withdraw(nowMs: number): boolean;
}

const DEFAULTS = { ratio: 0.2, reservePerSecond: 10, windowMs: 10_000 };

const KNOWN: Readonly<Record<keyof RetryBudgetOptions, true>> = { ratio: true, reservePerSecond: true, windowMs: true };

/** The balance ages in steps of this length: often enough for a window of seconds, and cheap. */
const STEP_MS = 100;

/** Starts with one second's reserve. What is not spent fades away with the time constant `windowMs`. */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  refuseUnknownOptions("retryBudget()", options, KNOWN);
  const { ratio = DEFAULTS.ratio, reservePerSecond = DEFAULTS.reservePerSecond } = options;
  const { windowMs = DEFAULTS.windowMs } = options;
  checkNumber("ratio", ratio, "from 0 on", ratio >= 0);
  checkNumber("reservePerSecond", reservePerSecond, "from 0 on", reservePerSecond >= 0);
  checkWindow("windowMs", windowMs);
  const resting = (reservePerSecond * windowMs) / 1_000;
  let balance = reservePerSecond;
  let agedMs: number | undefined;

  const age = (nowMs: number) => {
    agedMs ??= nowMs;
    const elapsedMs = nowMs - agedMs;
    if (elapsedMs < STEP_MS) return;
    const kept = Math.exp(-elapsedMs / windowMs);
    balance = balance * kept + resting * (1 - kept);
    agedMs = nowMs;
  };

  return {
    deposit(nowMs) {
      age(nowMs);
      balance += ratio;
    },
    withdraw(nowMs) {
      age(nowMs);
      if (balance < 1) return false;
      balance -= 1;
      return true;
    },
  };
}

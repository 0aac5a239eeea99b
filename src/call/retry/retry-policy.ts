/** Which failures are worth another attempt. The four places of gRFC A6, decided by what the server may have seen. */
import { type BackoffRange, fullJitter } from "../../backoff.js";
import type { Clock } from "../../clock.js";
import type { DeadlineQueue } from "../../deadline-queue.js";
import type { Outcome } from "../../outcome.js";
import type { Random } from "../../random.js";
import type { Call } from "../call.js";
import type { RetryBudget } from "./budget.js";
import type { Hedging } from "./hedge.js";

/** The options of `retry`, defaults filled in. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly timeoutMs: number | undefined;
  readonly attemptTimeoutMs: number | undefined;
  readonly backoff: BackoffRange;
  readonly idempotent: boolean;
  readonly retryable: (outcome: Outcome) => boolean;
}

/** What the calls under one `retry` have in common. */
export interface RetryEnvironment<C> extends RetryPolicy {
  readonly next: Call<C>;
  readonly budget: RetryBudget;
  readonly hedging: Hedging | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: DeadlineQueue;
}

/** Of a call that told nobody how it ended. */
export const UNKNOWN: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server" };

/**
 * - `free`: no server has seen it, so another attempt costs no attempt and no budget.
 * - `counted`: another attempt may be made, within the number of attempts and the budget.
 * - `enough`: the server asks for no more; attempts that are under way may still succeed.
 * - `never`: the answer stands.
 */
export type Verdict = "free" | "counted" | "enough" | "never";

export interface Circumstances {
  readonly idempotent: boolean;
  /** How often a server has refused this call before. */
  readonly refusals: number;
  /** Whether a failure that the server may have seen is worth repeating when repeating does no harm. */
  readonly retryable: (outcome: Outcome) => boolean;
}

export function judge(outcome: Outcome, { idempotent, refusals, retryable }: Circumstances): Verdict {
  if (outcome.kind !== "failed") return "never";
  if ((outcome.pushbackMs ?? 0) < 0) return "enough";
  switch (outcome.reached) {
    case "never-sent":
      return "free";
    case "refused":
      return refusals === 0 ? "free" : "counted";
    case "maybe-seen":
      return idempotent && retryable(outcome) ? "counted" : "never";
  }
}

/**
 * The server's fault and likely to pass: what a transport calls UNAVAILABLE (HTTP 502 and 503), any failure without a
 * name, and overload, which is this server's and not the next one's. Not the caller's mistakes, nor INTERNAL or UNKNOWN,
 * which come back the same.
 */
export function retryableByDefault(outcome: Outcome): boolean {
  if (outcome.fault === "caller") return false;
  return outcome.fault === "overload" || outcome.code === undefined || PASSING.has(outcome.code);
}

// A server that cuts its calls when it shuts down ends them as CANCELLED; what the caller cancels has not failed.
const PASSING: ReadonlySet<string> = new Set(["UNAVAILABLE", "CANCELLED"]);

/** How long to wait before the next attempt: what the server asks for, else nothing where it may follow at once. */
export function pauseAfter(
  outcome: Outcome,
  atOnce: boolean,
  pausesBefore: number,
  backoff: BackoffRange,
  random: Random,
): number {
  if (outcome.pushbackMs !== undefined) return outcome.pushbackMs;
  if (atOnce) return 0;
  return fullJitter(backoff, pausesBefore + 1, random);
}

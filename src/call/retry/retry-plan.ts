/** What follows a failure: of one call, which counts them, under the policy of its layer. */
import { type Outcome, timedOut } from "../../outcome.js";
import { judge, pauseAfter, type RetryEnvironment, type Verdict } from "./retry-policy.js";

export interface PlannedCall {
  readonly policy: Omit<RetryEnvironment<unknown>, "next">;
  readonly idempotent: boolean;
  readonly deadlineMs: number;
  readonly method: string | undefined;
}

/** Another attempt: after which pause, and whether it costs none of the attempts that are left. */
export interface NextAttempt {
  readonly pauseMs: number;
  readonly free: boolean;
}

export class RetryPlan {
  readonly #call: PlannedCall;
  #failures = 0;
  #refusals = 0;
  /** Since the server last said how long to wait, with which the doubling begins anew (gRFC A6). */
  #pauses = 0;

  constructor(call: PlannedCall) {
    this.#call = call;
  }

  judge(outcome: Outcome): Verdict {
    const { policy, idempotent } = this.#call;
    const cutShort =
      outcome === timedOut || (outcome.code === "DEADLINE_EXCEEDED" && policy.attemptTimeoutMs !== undefined);
    return judge(outcome, {
      idempotent,
      refusals: this.#refusals,
      retryable: cutShort ? () => true : policy.retryable,
    });
  }

  /** Absent when none may follow: no attempt is left, or no time for one, or the budget is spent. */
  next(outcome: Outcome, verdict: Verdict, attemptsLeft: number, nowMs: number): NextAttempt | undefined {
    const { policy, deadlineMs, method } = this.#call;
    const { backoff, budget, hedging, random } = policy;
    const free = verdict === "free" && deadlineMs !== Number.POSITIVE_INFINITY;
    const first = this.#failures === 0;
    const atOnce = first && (outcome.reached !== "maybe-seen" || hedging !== undefined);
    const pauseMs = pauseAfter(outcome, atOnce, this.#pauses, backoff, random);
    this.#failures += 1;
    this.#pauses = outcome.pushbackMs === undefined ? this.#pauses + 1 : 0;
    if (outcome.reached === "refused") this.#refusals += 1;

    if (!free && attemptsLeft <= 0) return undefined;
    if (nowMs + pauseMs + (hedging?.medianMs(method, nowMs) ?? 0) >= deadlineMs) return undefined;
    if (verdict === "counted" && !budget.withdraw(nowMs)) return undefined;
    return { pauseMs, free };
  }

  /** Whether an attempt may start in the same turn: none may after the first, or they would stop the process. */
  get mayStartAtOnce(): boolean {
    return this.#failures === 1;
  }
}

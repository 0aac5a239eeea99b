/**
 * Tries a call again, on another endpoint while there is one (go-kit's `lb.Retry`; gRFC A6; Envoy's retry policy).
 *
 * Three things bound what it does: the deadline of the whole call, the number of attempts, and a budget that keeps the
 * attempts of all calls together at a fraction above the calls. What it never does is to repeat a call that a server may
 * have seen, unless the caller says that this does no harm.
 */
import type { BackoffRange } from "../../backoff.js";
import { checkFlag, checkObject } from "../../check-kind.js";
import { checkNumber, checkWholeNumber } from "../../check-number.js";
import { type Clock, systemClock } from "../../clock.js";
import { checkDuration, DeadlineQueue } from "../../deadline-queue.js";
import { refuseUnknownOptions } from "../../known-options.js";
import type { Outcome } from "../../outcome.js";
import { type Random, systemRandom } from "../../random.js";
import type { Call, CallContext, CallOptions, Layer } from "../call.js";
import { type RetryBudget, retryBudget } from "./budget.js";
import { checkHedge, type HedgeOptions, Hedging } from "./hedge.js";
import { RetriedCall } from "./retried-call.js";
import { type RetryEnvironment, retryableByDefault } from "./retry-policy.js";

export interface RetryOptions {
  /**
   * Attempts in all, the first included; default 3. Those that no server has seen are not counted as long as the call has
   * a deadline; when every endpoint was tried and none can be reached, the call waits until one is ready. (go-kit: `max`;
   * gRPC: `maxAttempts`; Envoy: `num_retries` + 1.)
   */
  readonly attempts?: number | undefined;
  /** The deadline of the whole call: attempts, pauses and waiting. Default: the call's own. (Envoy: route `timeout`.) */
  readonly timeoutMs?: number | undefined;
  /** Cancels an attempt that takes longer from when it got its endpoint; default: none. (Envoy: `per_try_timeout`.) */
  readonly attemptTimeoutMs?: number | undefined;
  /**
   * The pause before another attempt: anything up to 25 ms, then 50 and so on up to 250 ms. The first after a failure that no
   * server has seen comes at once. (Envoy: `retry_back_off`; gRPC: `initialBackoff`, `maxBackoff`.)
   */
  readonly backoff?: BackoffRange | undefined;
  /** Default: a budget of its own for each call that the layer wraps, see `retryBudget`. */
  readonly budget?: RetryBudget | undefined;
  /**
   * Sends an idempotent call that takes longer than most a second time, to another endpoint and within `budget`; the first to
   * succeed wins. `true` is `{ maxExtraLoad: 0.05 }`: longer than 95 % of the calls of its method. Then a first failure is
   * followed by another attempt at once. Default: none. (Finagle: `BackupRequestFilter`; gRPC: `hedgingPolicy`.)
   */
  readonly hedge?: boolean | HedgeOptions | undefined;
  /** Whether calls that do not say so themselves may be repeated; default false. */
  readonly idempotent?: boolean | undefined;
  /** Which failures of an idempotent call are worth repeating although the server may have seen it. (Envoy: `retry_on`.) */
  readonly retryable?: ((outcome: Outcome) => boolean) | undefined;
  /** The balancer's clock. */
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

const DEFAULTS = { attempts: 3, backoff: { baseMs: 25, maxMs: 250 }, idempotent: false } as const;
const NO_OPTIONS: CallOptions = {};

const KNOWN: Readonly<Record<keyof RetryOptions, true>> = {
  attempts: true,
  timeoutMs: true,
  attemptTimeoutMs: true,
  backoff: true,
  budget: true,
  hedge: true,
  idempotent: true,
  retryable: true,
  clock: true,
  random: true,
};

function checkBackoff(backoff: BackoffRange): void {
  refuseUnknownOptions("backoff", backoff, { baseMs: true, maxMs: true });
  const { baseMs, maxMs } = backoff;
  checkNumber("backoff.baseMs", baseMs, "of milliseconds from 0 on", baseMs >= 0);
  checkNumber("backoff.maxMs", maxMs, "of milliseconds from 0 on", maxMs >= 0);
}

/**
 * A call that fails under this layer rejects with a `CallError` that lists its attempts and has the last error as `cause`. A
 * call that a layer further out already repeats is passed on as it is.
 *
 * An idempotent call that has used its share of the time (what is left, by the attempts left) is not cancelled: another
 * attempt starts beside it, and the first to succeed wins.
 */
export function retry(options: RetryOptions = {}): Layer {
  refuseUnknownOptions("retry()", options, KNOWN);
  const attempts = options.attempts ?? DEFAULTS.attempts;
  checkWholeNumber("attempts", attempts, 1);
  checkDuration("timeoutMs", options.timeoutMs);
  checkDuration("attemptTimeoutMs", options.attemptTimeoutMs);
  if (options.backoff !== undefined) checkBackoff(options.backoff);
  if (options.budget !== undefined)
    checkObject("budget", options.budget, "withdraw", "what retryBudget({ ratio }) gives");
  checkFlag("idempotent", options.idempotent);
  if (typeof options.hedge === "object") checkHedge(options.hedge);
  const clock = options.clock ?? systemClock;

  return <C>(next: Call<C>): Call<C> => {
    const environment: RetryEnvironment<C> = {
      next,
      attempts,
      timeoutMs: options.timeoutMs,
      attemptTimeoutMs: options.attemptTimeoutMs,
      backoff: options.backoff ?? DEFAULTS.backoff,
      budget: options.budget ?? retryBudget(),
      hedging: options.hedge ? new Hedging(options.hedge === true ? {} : options.hedge) : undefined,
      idempotent: options.idempotent ?? DEFAULTS.idempotent,
      retryable: options.retryable ?? retryableByDefault,
      clock,
      random: options.random ?? systemRandom,
      deadlines: new DeadlineQueue(clock),
    };
    return <R>(operation: (client: C, context: CallContext) => Promise<R>, callOptions: CallOptions = NO_OPTIONS) =>
      callOptions.attempt === undefined
        ? new Promise<R>((resolve, reject) => {
            new RetriedCall(environment, { operation, options: callOptions, resolve, reject }).start();
          })
        : next(operation, callOptions);
  };
}

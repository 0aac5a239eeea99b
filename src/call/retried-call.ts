/**
 * One call under `retry`, from its first attempt to its end.
 *
 *   start ──▶ attempts in flight ──success──▶ resolved, the others cancelled
 *                │        ▲    └──used its share──▶ one more beside it
 *              failure    │
 *                ├──pause─┘
 *                └──nothing left, and none in flight──▶ rejected
 *   at any time: deadline or abort ──▶ all cancelled, rejected
 *
 * It settles once, and then nothing of it is left running but the stream that the winner holds open.
 * In the queue of deadlines it has one place, for what comes first: the deadline, or the end of the newest attempt's share.
 */
import type { Clock, Timer } from "../clock.js";
import { type Deadline, type DeadlineQueue, deadlineAfter } from "../deadline-queue.js";
import { RollcallError, toError } from "../errors.js";
import { cancelled, type Outcome, timedOut } from "../outcome.js";
import type { Random } from "../random.js";
import { AttemptLog } from "./attempt-log.js";
import { nextLook, shareEnd } from "./attempt-share.js";
import type { RetryBudget } from "./budget.js";
import type { AttemptTicket, Call, CallContext, CallOptions, RunningAttempt } from "./call.js";
import { judge, pauseAfter, type RetryPolicy } from "./retry-policy.js";

export interface RetryEnvironment<C> extends RetryPolicy {
  readonly next: Call<C>;
  readonly budget: RetryBudget;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: DeadlineQueue;
}

/** Of a call that told nobody how it ended. */
const UNKNOWN: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server" };
/** A transport keeps the same deadline with a timer of its own, which may run a moment before ours. */
const TIMER_SLACK_MS = 5;

export class RetriedCall<C, R> implements Deadline {
  queuePosition = -1;
  dueMs = Number.POSITIVE_INFINITY;
  readonly #environment: RetryEnvironment<C>;
  readonly #operation: (client: C, context: CallContext) => Promise<R>;
  readonly #options: CallOptions;
  readonly #resolve: (value: R) => void;
  readonly #reject: (error: unknown) => void;
  readonly #idempotent: boolean;
  readonly #startedMs: number;
  readonly #deadlineMs: number;
  readonly #inFlight: AttemptTicket[] = [];
  #settled = false;
  #launched = 0;
  #attemptsLeft: number;
  #refusals = 0;
  #failures = 0;
  /** Since the server last said how long to wait, with which the doubling begins anew (gRFC A6). */
  #pauses = 0;
  /** Set while the next attempt waits for its time. */
  #pause: Timer | undefined;
  /** Made with the first failure or slow attempt. */
  #log: AttemptLog | undefined;

  constructor(
    environment: RetryEnvironment<C>,
    operation: (client: C, context: CallContext) => Promise<R>,
    options: CallOptions,
    resolve: (value: R) => void,
    reject: (error: unknown) => void,
  ) {
    this.#environment = environment;
    this.#operation = operation;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#idempotent = options.idempotent ?? environment.idempotent;
    this.#attemptsLeft = environment.attempts;
    this.#startedMs = environment.clock.nowMs();
    this.#deadlineMs = Math.min(
      deadlineAfter(this.#startedMs, options.timeoutMs),
      deadlineAfter(this.#startedMs, environment.timeoutMs),
    );
  }

  start(): void {
    const { signal } = this.#options;
    if (signal?.aborted) {
      this.handleEvent();
      return;
    }
    signal?.addEventListener("abort", this);
    this.#environment.budget.deposit(this.#startedMs);
    this.#launch(this.#startedMs);
  }

  due(): void {
    const nowMs = this.#environment.clock.nowMs();
    if (nowMs >= this.#deadlineMs) {
      for (const { running } of this.#inFlight) running?.suspect();
      this.#stop(this.#outOfTime(nowMs, this.#log?.lastError), timedOut);
    } else {
      this.#checkShare(nowMs);
    }
  }

  /** The caller's signal aborted. */
  handleEvent(): void {
    const cause = this.#options.signal?.reason;
    this.#stop(new RollcallError("CANCELLED", "the call was cancelled", { cause }), cancelled);
  }

  #launch(nowMs: number): void {
    const { next, attemptTimeoutMs } = this.#environment;
    this.#launched += 1;
    this.#attemptsLeft -= 1;
    this.#pause = undefined;
    const ticket: AttemptTicket = { number: this.#launched, deadlineMs: this.#deadlineMs };
    this.#inFlight.push(ticket);
    this.#wakeAt(shareEnd(nowMs, this.#deadlineMs, this.#othersLeft));
    next(this.#operation, {
      timeoutMs: attemptTimeoutMs,
      idempotent: this.#idempotent,
      hashKey: this.#options.hashKey,
      exclude: this.#log?.tried ?? this.#options.exclude,
      attempt: ticket,
    }).then(
      (value) => this.#succeeded(ticket, value),
      (error) => this.#failed(ticket, error),
    );
  }

  #wakeAt(atMs: number): void {
    const { deadlines } = this.#environment;
    deadlines.remove(this);
    this.dueMs = Math.min(atMs, this.#deadlineMs);
    deadlines.add(this);
  }

  /** How many attempts may still start beside a slow one. */
  get #othersLeft(): number {
    return this.#idempotent ? this.#attemptsLeft : 0;
  }

  #checkShare(nowMs: number): void {
    const newest = this.#inFlight.at(-1)?.running;
    const lookMs =
      newest === undefined ? this.#deadlineMs : nextLook(newest, this.#deadlineMs, this.#othersLeft, nowMs);
    if (newest?.address === undefined || lookMs > nowMs) {
      this.#wakeAt(lookMs);
      return;
    }
    newest.suspect();
    this.#openLog().passOver(newest.address);
    if (this.#environment.budget.withdraw(nowMs)) this.#launch(nowMs);
    else this.#wakeAt(this.#deadlineMs);
  }

  #succeeded(ticket: AttemptTicket, value: R): void {
    if (this.#settled) return;
    this.#leaveFlight(ticket);
    this.#pause?.cancel();
    if (this.#inFlight.length > 0) {
      this.#cancelAll(new RollcallError("CANCELLED", "another attempt of the call answered first"), cancelled);
    }
    const held = ticket.running?.held;
    if (held === undefined) this.#release();
    else this.#watchOver(ticket, held);
    this.#settled = true;
    this.#resolve(value);
  }

  /** The operation goes on, as a stream does: deadline and signal still hold for it. */
  #watchOver(ticket: AttemptTicket, held: Promise<unknown>): void {
    this.#inFlight.push(ticket);
    this.#wakeAt(this.#deadlineMs);
    const release = () => this.#release();
    held.then(release, release);
  }

  #failed(ticket: AttemptTicket, error: unknown): void {
    if (this.#settled) return;
    const nowMs = this.#environment.clock.nowMs();
    const attempt = ticket.running;
    this.#leaveFlight(ticket);
    if (attempt !== undefined && attempt.address === undefined) {
      this.#settleUnlessInFlight(error); // there was nothing to pick, and another attempt would find the same
      return;
    }
    const outcome = attempt?.outcome ?? UNKNOWN;
    if (outcome.code === "DEADLINE_EXCEEDED" && nowMs + TIMER_SLACK_MS >= this.#deadlineMs) {
      this.#inFlight.push(ticket); // to be recorded as the last, whose error is the call's
      this.#stop(this.#outOfTime(nowMs, error), timedOut);
      return;
    }
    this.#record(attempt, toError(error), nowMs);
    if (attempt?.held !== undefined) {
      this.#settle(error); // its first messages have been seen
    } else {
      try {
        this.#decide(outcome, error, nowMs);
      } catch (thrown) {
        this.#settle(thrown); // by the caller's own rule
      }
    }
  }

  /** What to do after a failure: try again, now or later, or give up, now or when those still in flight have failed too. */
  #decide(outcome: Outcome, error: unknown, nowMs: number): void {
    const { attemptTimeoutMs, backoff, budget, clock, random, retryable } = this.#environment;
    const cutShort = outcome === timedOut || (outcome.code === "DEADLINE_EXCEEDED" && attemptTimeoutMs !== undefined);
    const verdict = judge(outcome, {
      idempotent: this.#idempotent,
      refusals: this.#refusals,
      retryable: cutShort ? () => true : retryable,
    });
    if (verdict === "never") {
      this.#settle(error);
      return;
    }
    const waiting = this.#inFlight.some(({ running }) => running !== undefined && running.address === undefined);
    if (waiting || this.#pause !== undefined) return; // the next one waits already, for an endpoint or its time
    const free = verdict === "free" && this.#deadlineMs !== Number.POSITIVE_INFINITY;
    const pauseMs = pauseAfter(outcome, this.#failures === 0, this.#pauses, backoff, random);
    this.#failures += 1;
    this.#pauses = outcome.pushbackMs === undefined ? this.#pauses + 1 : 0;
    if (outcome.reached === "refused") this.#refusals += 1;
    if (
      (!free && this.#attemptsLeft <= 0) ||
      nowMs + pauseMs >= this.#deadlineMs ||
      (verdict === "counted" && !budget.withdraw(nowMs))
    ) {
      this.#settleUnlessInFlight(error);
      return;
    }
    if (free) this.#attemptsLeft += 1;
    this.#wakeAt(this.#deadlineMs);
    // At once only the first time: attempts without a turn of the event loop between them would stop the process.
    if (pauseMs === 0 && this.#failures === 1) this.#launch(nowMs);
    else this.#pause = clock.after(pauseMs, () => this.#launch(clock.nowMs()), { hold: true });
  }

  /** The deadline has passed or the caller has had enough. */
  #stop(reason: RollcallError, outcome: Outcome): void {
    const nowMs = this.#environment.clock.nowMs();
    const stopped = [...this.#inFlight];
    this.#cancelAll(reason, outcome);
    if (this.#settled) {
      this.#release();
      return;
    }
    for (const { running } of stopped) {
      if (running?.address !== undefined) this.#record(running, running.error ?? reason, nowMs);
    }
    const placed = stopped.length === 0 || stopped.some(({ running }) => running?.address !== undefined);
    this.#settle(placed ? reason : (stopped[0]?.running?.error ?? reason));
  }

  #cancelAll(reason: Error, outcome: Outcome): void {
    for (const { running } of this.#inFlight.splice(0)) running?.cancel(reason, outcome);
  }

  #leaveFlight(ticket: AttemptTicket): void {
    this.#inFlight.splice(this.#inFlight.indexOf(ticket), 1);
  }

  #record(attempt: RunningAttempt | undefined, error: Error, nowMs: number): void {
    const startedMs = attempt?.startedMs ?? this.#startedMs;
    this.#openLog().failed(attempt?.address ?? "unknown", error, nowMs - startedMs);
  }

  #openLog(): AttemptLog {
    this.#log ??= new AttemptLog(this.#options.exclude);
    return this.#log;
  }

  #settleUnlessInFlight(error: unknown): void {
    if (this.#inFlight.length === 0 && this.#pause === undefined) this.#settle(error);
    else this.#wakeAt(this.#deadlineMs);
  }

  #settle(error: unknown): void {
    this.#settled = true;
    this.#cancelAll(new RollcallError("CANCELLED", "the call has failed on another attempt"), cancelled);
    this.#release();
    this.#reject(this.#log === undefined || this.#log.empty ? error : this.#log.callError(error));
  }

  #release(): void {
    this.#pause?.cancel();
    this.#environment.deadlines.remove(this);
    this.#options.signal?.removeEventListener("abort", this);
  }

  #outOfTime(nowMs: number, cause: unknown): RollcallError {
    const elapsedMs = Math.round(nowMs - this.#startedMs);
    return new RollcallError("DEADLINE_EXCEEDED", `no answer within ${elapsedMs} ms`, { cause });
  }
}

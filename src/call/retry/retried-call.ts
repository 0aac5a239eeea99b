/**
 * One call under `retry`, from its first attempt to its end.
 *
 *   start ──▶ attempts in flight ──success──▶ resolved, the others cancelled
 *                │        ▲    └──used its share, or hedged──▶ one more beside it
 *              failure    │
 *                ├──pause─┘
 *                └──nothing left, and none in flight──▶ rejected
 *   at any time: deadline or abort ──▶ all cancelled, rejected
 *
 * It settles once, and then nothing of it is left running but the stream that the winner holds open.
 * In the queue of deadlines it has one place, for what comes first: the deadline, the end of the newest attempt's share or,
 * where calls are hedged, the time that most calls take.
 */
import { AsyncResource } from "node:async_hooks";
import type { Timer } from "../../clock.js";
import { type Deadline, deadlineAfter } from "../../deadline-queue.js";
import { RollcallError, toError } from "../../errors.js";
import { cancelled, type Outcome, ok, timedOut } from "../../outcome.js";
import type { AttemptTicket, CallContext, CallOptions, RunningAttempt } from "../call.js";
import { AttemptLog, outOfTime } from "./attempt-log.js";
import { paceOf, shareEnd } from "./attempt-share.js";
import { Flight } from "./flight.js";
import { RetryPlan } from "./retry-plan.js";
import { type RetryEnvironment, UNKNOWN } from "./retry-policy.js";

/** What was asked for, and whom to tell. */
export interface RequestedCall<C, R> {
  readonly operation: (client: C, context: CallContext) => Promise<R>;
  readonly options: CallOptions;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

/** A transport keeps the same deadline with a timer of its own, which may run a moment before ours. */
const TIMER_SLACK_MS = 5;

export class RetriedCall<C, R> implements Deadline {
  queuePosition = -1;
  dueMs = Number.POSITIVE_INFINITY;
  readonly #environment: RetryEnvironment<C>;
  readonly #call: RequestedCall<C, R>;
  readonly #idempotent: boolean;
  readonly #startedMs: number;
  readonly #deadlineMs: number;
  readonly #flight = new Flight();
  #settled = false;
  /** The attempt that decides how the call ends. */
  #decisive: RunningAttempt | undefined;
  #end: Outcome | undefined;
  #launched = 0;
  #attemptsLeft: number;
  /** The caller's, for attempts beside a slow one: the timer that starts them is shared, and has another's or none. */
  #context: AsyncResource | undefined;
  /** Made with the first failure. */
  #plan: RetryPlan | undefined;
  /** The newest attempt, once it has been left alone although it could have been hedged. */
  #unhedged: RunningAttempt | undefined;
  /** Set while the next attempt waits for its time. */
  #pause: Timer | undefined;
  /** Made with the first failure or slow attempt. */
  #log: AttemptLog | undefined;

  constructor(environment: RetryEnvironment<C>, call: RequestedCall<C, R>) {
    const { options } = call;
    this.#environment = environment;
    this.#call = call;
    this.#idempotent = options.idempotent ?? environment.idempotent;
    this.#attemptsLeft = environment.attempts;
    this.#startedMs = environment.clock.nowMs();
    this.#deadlineMs = Math.min(
      deadlineAfter(this.#startedMs, options.timeoutMs),
      deadlineAfter(this.#startedMs, environment.timeoutMs),
    );
  }

  start(): void {
    const { signal, follower } = this.#call.options;
    if (follower) follower.following = true;
    if (signal?.aborted) {
      this.handleEvent();
      return;
    }
    signal?.addEventListener("abort", this);
    if (this.#idempotent) this.#context = new AsyncResource("RetriedCall");
    this.#environment.budget.deposit(this.#startedMs);
    this.#environment.hedging?.deposit(this.#startedMs);
    this.#launch(this.#startedMs);
  }

  due(): void {
    const nowMs = this.#environment.clock.nowMs();
    if (nowMs >= this.#deadlineMs) {
      this.#flight.suspect();
      this.#stop(outOfTime(nowMs - this.#startedMs, this.#log?.lastError), timedOut);
    } else {
      this.#context?.runInAsyncScope(() => this.#checkPace(nowMs));
    }
  }

  /** The caller's signal aborted. */
  handleEvent(): void {
    const cause = this.#call.options.signal?.reason;
    this.#stop(new RollcallError("CANCELLED", "the call was cancelled", { cause }), cancelled);
  }

  #launch(nowMs: number): void {
    const { next, attemptTimeoutMs } = this.#environment;
    this.#launched += 1;
    this.#attemptsLeft -= 1;
    this.#pause = undefined;
    const ticket: AttemptTicket = { number: this.#launched, deadlineMs: this.#deadlineMs };
    this.#flight.join(ticket);
    this.#wakeAt(Math.min(shareEnd(nowMs, this.#deadlineMs, this.#othersLeft), nowMs + this.#hedgeDelayMs(nowMs)));
    next(this.#call.operation, {
      timeoutMs: attemptTimeoutMs,
      idempotent: this.#idempotent,
      hashKey: this.#call.options.hashKey,
      exclude: this.#log?.tried ?? this.#call.options.exclude,
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

  /** How long the newest attempt may take until another is sent beside it although its share of the time is not used. */
  #hedgeDelayMs(nowMs: number): number {
    const { hedging } = this.#environment;
    if (hedging === undefined || this.#othersLeft === 0) return Number.POSITIVE_INFINITY;
    return hedging.delayMs(this.#call.options.method, nowMs);
  }

  #checkPace(nowMs: number): void {
    const { newest } = this.#flight;
    if (newest === undefined) {
      this.#wakeAt(this.#deadlineMs);
      return;
    }
    const hedgeDelayMs = newest === this.#unhedged ? Number.POSITIVE_INFINITY : this.#hedgeDelayMs(nowMs);
    const { used, lookMs } = paceOf(newest, this.#deadlineMs, this.#othersLeft, hedgeDelayMs, nowMs);
    if (used === undefined || newest.address === undefined) {
      this.#wakeAt(lookMs);
      return;
    }
    const { budget, hedging } = this.#environment;
    if (used === "share") this.#flight.useUp(nowMs);
    this.#openLog().passOver(newest.address);
    if ((used === "share" || hedging?.withdraw(nowMs)) && budget.withdraw(nowMs)) {
      this.#launch(nowMs);
    } else {
      this.#unhedged = newest;
      this.#wakeAt(used === "share" ? this.#deadlineMs : lookMs);
    }
  }

  #succeeded(ticket: AttemptTicket, value: R): void {
    if (this.#settled) return;
    const { hedging, clock } = this.#environment;
    if (hedging !== undefined) this.#flight.measure(hedging, this.#call.options.method, clock.nowMs());
    this.#decisive = ticket.running;
    if (ticket.running === undefined) this.#end = ok;
    this.#flight.leave(ticket);
    this.#pause?.cancel();
    if (!this.#flight.empty) {
      this.#flight.lose(new RollcallError("CANCELLED", "another attempt of the call answered first"));
    }
    const held = ticket.running?.held;
    if (held === undefined) {
      this.#release();
    } else {
      this.#flight.join(ticket); // it goes on, as a stream does: deadline and signal still hold for it
      this.#wakeAt(this.#deadlineMs);
      held.finally(() => this.#release()).catch(() => {});
    }
    this.#settled = true;
    this.#call.resolve(value);
  }

  #failed(ticket: AttemptTicket, error: unknown): void {
    if (this.#settled) return;
    const nowMs = this.#environment.clock.nowMs();
    const attempt = ticket.running;
    this.#decisive = attempt;
    this.#flight.leave(ticket);
    if (attempt === undefined ? error instanceof RollcallError : attempt.address === undefined) {
      this.#settleUnlessInFlight(error); // nothing to pick, or a layer refused it: another attempt would find the same
      return;
    }
    const outcome = attempt?.outcome ?? UNKNOWN;
    if (outcome.code === "DEADLINE_EXCEEDED" && nowMs + TIMER_SLACK_MS >= this.#deadlineMs) {
      this.#flight.join(ticket); // to be recorded as the last, whose error is the call's
      this.#stop(outOfTime(nowMs - this.#startedMs, error), timedOut);
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
    const { clock } = this.#environment;
    this.#plan ??= new RetryPlan({
      policy: this.#environment,
      idempotent: this.#idempotent,
      deadlineMs: this.#deadlineMs,
      method: this.#call.options.method,
    });
    const verdict = this.#plan.judge(outcome);
    if (verdict === "never") {
      this.#settle(error);
      return;
    }
    if (verdict === "enough") {
      this.#attemptsLeft = 0;
      this.#settleUnlessInFlight(error);
      return;
    }
    if (this.#flight.waiting || this.#pause !== undefined) return; // the next one waits already, for an endpoint or its time
    const next = this.#plan.next(outcome, verdict, this.#attemptsLeft, nowMs);
    if (next === undefined) {
      this.#settleUnlessInFlight(error);
      return;
    }
    if (next.free) this.#attemptsLeft += 1;
    this.#wakeAt(this.#deadlineMs);
    if (next.pauseMs === 0 && this.#plan.mayStartAtOnce) this.#launch(nowMs);
    else this.#pause = clock.after(next.pauseMs, () => this.#launch(clock.nowMs()), { hold: true });
  }

  /** The deadline has passed or the caller has had enough. */
  #stop(reason: RollcallError, outcome: Outcome): void {
    const nowMs = this.#environment.clock.nowMs();
    this.#end = outcome;
    if (outcome === timedOut) this.#flight.measure(this.#environment.hedging, this.#call.options.method, nowMs);
    const stopped = this.#flight.running;
    this.#flight.cancel(reason, outcome);
    if (this.#settled) {
      this.#release();
      return;
    }
    for (const running of stopped) {
      if (running.address !== undefined) this.#record(running, running.error ?? reason, nowMs);
    }
    const placed = stopped.length === 0 || stopped.some(({ address }) => address !== undefined);
    this.#settle(placed ? reason : (stopped[0]?.error ?? reason));
  }

  #record(attempt: RunningAttempt | undefined, error: Error, nowMs: number): void {
    const elapsedMs = nowMs - (attempt?.startedMs ?? this.#startedMs);
    this.#openLog().failed(attempt?.address ?? "unknown", error, elapsedMs);
  }

  #openLog(): AttemptLog {
    this.#log ??= new AttemptLog(this.#call.options.exclude);
    return this.#log;
  }

  #settleUnlessInFlight(error: unknown): void {
    if (this.#flight.empty && this.#pause === undefined) this.#settle(error);
    else this.#wakeAt(this.#deadlineMs);
  }

  #settle(error: unknown): void {
    this.#settled = true;
    this.#flight.lose(new RollcallError("CANCELLED", "the call has failed on another attempt"));
    this.#release();
    this.#call.reject(
      this.#log === undefined || this.#log.empty ? error : this.#log.callError(error, this.#idempotent),
    );
  }

  #release(): void {
    this.#pause?.cancel();
    const end = this.#end ?? this.#decisive?.outcome;
    if (end !== undefined) this.#call.options.follower?.ended(end);
    this.#environment.deadlines.remove(this);
    this.#call.options.signal?.removeEventListener("abort", this);
  }
}

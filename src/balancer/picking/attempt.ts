/**
 * One attempt of a call: it gets an endpoint, runs the operation there and ends the pick with what became of it.
 *
 * This is the hot path. On success it costs this object, its pick and one promise: the deadline waits in a shared queue,
 * and an AbortController is made only for an operation that reads `signal`.
 */
import { AsyncResource } from "node:async_hooks";
import type { AttemptTicket, CallContext, CallOptions, RunningAttempt } from "../../call/call.js";
import { type Deadline, deadlineAfter } from "../../deadline-queue.js";
import { RollcallError, reportStray, toError } from "../../errors.js";
import type { Instance } from "../../instance.js";
import { cancelled, type Outcome, ok, timedOut } from "../../outcome.js";
import type { Pick } from "../balancer.js";
import { outcomeOfError } from "./outcome-of-error.js";
import type { PickDesk } from "./pick-desk.js";

const NOT_PLACED: Outcome = { kind: "failed", reached: "never-sent" };

export class Attempt<C, R> implements CallContext, RunningAttempt, Deadline {
  queuePosition = -1;
  dueMs = Number.POSITIVE_INFINITY;
  deadlineMs = Number.POSITIVE_INFINITY;
  startedMs: number;
  outcome: Outcome | undefined;
  error: Error | undefined;
  held: Promise<Outcome> | undefined;
  readonly #desk: PickDesk<C>;
  readonly #operation: (client: C, context: CallContext) => Promise<R>;
  readonly #options: CallOptions;
  readonly #ticket: AttemptTicket | undefined;
  readonly #resolve: (value: R) => void;
  readonly #reject: (error: unknown) => void;
  #pick: Pick<C> | undefined;
  #stopWaiting: (() => void) | undefined;
  #controller: AbortController | undefined;
  #onCancel: ((reason: Error) => void)[] | undefined;

  constructor(
    desk: PickDesk<C>,
    operation: (client: C, context: CallContext) => Promise<R>,
    options: CallOptions,
    resolve: (value: R) => void,
    reject: (error: unknown) => void,
  ) {
    this.#desk = desk;
    this.#operation = operation;
    this.#options = options;
    this.#ticket = options.attempt;
    this.#resolve = resolve;
    this.#reject = reject;
    this.startedMs = desk.clock.nowMs();
    if (this.#ticket !== undefined) this.#ticket.running = this;
    if (options.follower !== undefined) options.follower.following = true;
  }

  get instance(): Instance {
    if (this.#pick === undefined) throw new Error("the operation runs only after the pick");
    return this.#pick.endpoint.instance;
  }

  get address(): string | undefined {
    return this.#pick?.endpoint.address;
  }

  get attempt(): number {
    return this.#ticket?.number ?? 1;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.outcome !== undefined && this.error !== undefined) this.#controller.abort(this.error);
    }
    return this.#controller.signal;
  }

  start(): void {
    try {
      this.#limit();
      if (this.#ticket?.over !== undefined) {
        this.#fail(this.#ticket.over, cancelled);
        return;
      }
      const { signal } = this.#options;
      if (signal?.aborted) {
        this.handleEvent();
        return;
      }
      signal?.addEventListener("abort", this);
      const waitUntilMs = this.#ticket?.deadlineMs ?? this.dueMs;
      const pick = this.#desk.tryPick(this.#options, waitUntilMs);
      if (pick === undefined) this.#wait(waitUntilMs);
      else this.#run(pick);
    } catch (error) {
      this.#fail(toError(error), NOT_PLACED);
    }
  }

  onCancel(listener: (reason: Error) => void): void {
    if (this.outcome === undefined) {
      this.#onCancel ??= [];
      this.#onCancel.push(listener);
    } else if (this.error !== undefined) {
      listener(this.error);
    }
  }

  holdUntil(end: Promise<Outcome>): void {
    this.held = end;
    end.catch(() => {}); // it matters only to a call that is answered, and that looks for itself
  }

  suspect(): void {
    try {
      this.#pick?.endpoint.connection.suspect?.(this.#desk.clock.nowMs() - this.startedMs);
    } catch (error) {
      reportStray(error);
    }
  }

  cancel(reason: Error, outcome: Outcome): void {
    if (this.outcome !== undefined) return;
    const inTime = outcome.kind === "cancelled" || this.#pick !== undefined;
    const error = inTime ? reason : this.#desk.nothingToPick(reason.cause ?? reason);
    const listeners = this.#onCancel;
    this.#fail(error, outcome);
    this.#controller?.abort(error);
    if (listeners !== undefined) for (const listener of listeners) tell(listener, error);
  }

  /** Its own timeout has passed. */
  due(): void {
    this.suspect();
    const elapsedMs = Math.round(this.#desk.clock.nowMs() - this.startedMs);
    this.cancel(new RollcallError("DEADLINE_EXCEEDED", `no answer within ${elapsedMs} ms`), timedOut);
  }

  /** The caller's signal aborted. */
  handleEvent(): void {
    const cause = this.#options.signal?.reason;
    this.cancel(new RollcallError("CANCELLED", "the call was cancelled", { cause }), cancelled);
  }

  #limit(): void {
    this.dueMs = deadlineAfter(this.startedMs, this.#options.timeoutMs);
    this.deadlineMs = Math.min(this.dueMs, this.#ticket?.deadlineMs ?? Number.POSITIVE_INFINITY);
  }

  /** The time of a whole call runs while it waits; that of one attempt among several begins with its pick. */
  #wait(untilMs: number): void {
    if (this.#ticket === undefined) this.#desk.deadlines.add(this);
    const tryNow = () => {
      try {
        const pick = this.#desk.tryPick(this.#options, untilMs);
        if (pick === undefined) return false;
        this.startedMs = this.#desk.clock.nowMs();
        if (this.#ticket !== undefined) this.#limit();
        this.#run(pick);
      } catch (error) {
        this.#fail(toError(error), NOT_PLACED);
      }
      return true;
    };
    // In the caller's context, and not of whoever changes the set: the operation may look for its trace or its request there.
    this.#stopWaiting = this.#desk.wait(AsyncResource.bind(tryNow));
  }

  #run(pick: Pick<C>): void {
    this.#pick = pick;
    if (this.queuePosition < 0) this.#desk.deadlines.add(this);
    try {
      this.#operation(pick.endpoint.connection.client, this).then(
        (value) => this.#answered(value),
        (error) => this.#failed(error),
      );
    } catch (error) {
      this.#failed(error);
    }
  }

  #answered(value: R): void {
    if (this.outcome !== undefined) return;
    if (this.held === undefined) {
      this.#end(this.#success());
    } else {
      this.#pick?.answered();
      this.held.then(
        (outcome) => this.#end(outcome),
        (error) => this.#end(this.#outcomeOf(error)),
      );
    }
    this.#resolve(value);
  }

  #success(): Outcome {
    if (!this.#desk.measures) return ok;
    return { kind: "ok", reached: "maybe-seen", firstResponseMs: this.#desk.clock.nowMs() - this.startedMs };
  }

  #failed(error: unknown): void {
    if (this.outcome !== undefined) return;
    const outcome = this.#outcomeOf(error);
    if (outcome.code === "DEADLINE_EXCEEDED") this.suspect();
    this.#fail(error, outcome);
  }

  #outcomeOf(error: unknown): Outcome {
    try {
      return this.#pick?.endpoint.connection.outcomeOf?.(error) ?? outcomeOfError(error);
    } catch (thrown) {
      reportStray(thrown);
      return outcomeOfError(error);
    }
  }

  #fail(error: unknown, outcome: Outcome): void {
    if (this.outcome !== undefined) return;
    this.error = toError(error);
    this.#end(outcome);
    this.#reject(error);
  }

  #end(outcome: Outcome): void {
    if (this.outcome !== undefined) return;
    this.outcome = outcome;
    this.#desk.deadlines.remove(this);
    this.#options.signal?.removeEventListener("abort", this);
    this.#stopWaiting?.();
    this.#onCancel = undefined;
    this.#pick?.done(outcome);
    this.#options.follower?.ended(outcome);
  }
}

function tell(listener: (reason: Error) => void, reason: Error): void {
  try {
    listener(reason);
  } catch (error) {
    reportStray(error);
  }
}

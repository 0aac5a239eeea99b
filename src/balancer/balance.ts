/**
 * A pick is synchronous: a strategy's picker is a snapshot of the set and never waits. Waiting, for the first endpoints or
 * for a connection in the making, happens here and only while there is nothing to pick.
 */
import type { Call, CallContext, CallOptions } from "../call/call.js";
import { checkChoice, checkFunction } from "../check-kind.js";
import { type Clock, systemClock } from "../clock.js";
import { DeadlineQueue } from "../deadline-queue.js";
import type { Endpointer } from "../endpoints/endpoint.js";
import { RollcallError } from "../errors.js";
import { refuseUnknownOptions } from "../known-options.js";
import { firstMatch } from "../live.js";
import { type Logger, resolveLogger } from "../logger.js";
import { type Random, systemRandom } from "../random.js";
import type { Balancer, Pick, PickRequest } from "./balancer.js";
import { Candidates, type EndpointCandidate } from "./candidates/candidates.js";
import { checkStrategy } from "./check-balancer.js";
import { ejectionReport } from "./ejection/ejection-report.js";
import { type EjectionOptions, ejectionRule } from "./ejection/ejection-rule.js";
import { OutlierEjection } from "./ejection/outlier-ejection.js";
import type { Metric } from "./meter.js";
import { Attempt } from "./picking/attempt.js";
import { EndpointPick } from "./picking/endpoint-pick.js";
import { HeldClock } from "./picking/held-clock.js";
import { noneWillCome, nothingToPick } from "./picking/nothing-to-pick.js";
import type { PickDesk } from "./picking/pick-desk.js";
import { PickWait } from "./picking/pick-wait.js";
import { holdProcess, WaitingRoom } from "./picking/waiting-room.js";
import type { Distributor, Picker, Strategy } from "./strategy.js";

export interface BalancerOptions {
  /**
   * How endpoints are measured, for strategies that ask for a cost, as `p2c()` does; absent: by their calls in progress.
   * (Finagle: the load metric.)
   */
  readonly metric?: Metric | undefined;
  /**
   * What a call does while the set is empty: `wait` for an endpoint until its deadline (the default; gRPC's wait-for-ready),
   * or `fail` at once. Nothing is known before the registry has answered, so with `fail` the first calls of a new client are
   * refused on a healthy system too, unless they come after `await ready()`.
   */
  readonly whenEmpty?: "wait" | "fail" | undefined;
  /**
   * Keeps calls away from endpoints that fail: `{}` with the defaults of `EjectionOptions`. Default: nobody is ejected; in
   * `client()` it is on. (Envoy: `outlier_detection`; Finagle: failure accrual.)
   */
  readonly ejection?: EjectionOptions | false | undefined;
  /** The service's name, for error messages and events. */
  readonly service?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Hears of ejections; default stderr, `false` for silence. */
  readonly logger?: Logger | false | undefined;
}

const DEFAULTS = { whenEmpty: "wait" } as const;
/** The choices of `whenEmpty`. */
export const WHEN_EMPTY = ["wait", "fail"];
const NO_OPTIONS: CallOptions = {};

const KNOWN: Readonly<Record<keyof BalancerOptions, true>> = {
  metric: true,
  whenEmpty: true,
  ejection: true,
  service: true,
  clock: true,
  random: true,
  logger: true,
};

/** Balances over `endpointer`, which it does not close. */
export function balance<C>(endpointer: Endpointer<C>, strategy: Strategy, options: BalancerOptions = {}): Balancer<C> {
  refuseUnknownOptions("balance()", options, KNOWN);
  checkStrategy("strategy", strategy);
  if (options.metric !== undefined) checkFunction("metric", options.metric, "write e.g. peakEwma()");
  checkChoice("whenEmpty", options.whenEmpty, WHEN_EMPTY);
  return new EndpointBalancer(endpointer, strategy, options);
}

class EndpointBalancer<C> implements Balancer<C>, PickDesk<C> {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly measures: boolean;
  readonly call: Call<C>;
  readonly #endpointer: Endpointer<C>;
  readonly #whenEmpty: "wait" | "fail";
  readonly #service: string | undefined;
  readonly #ejection: OutlierEjection<EndpointCandidate<C>> | undefined;
  readonly #candidates: Candidates<C>;
  /** Of picks, and of all that takes part in one. */
  readonly #pickClock: HeldClock;
  readonly #distribute: Distributor;
  readonly #waiting: WaitingRoom;
  readonly #subscription: Disposable;
  readonly #closing = new AbortController();
  /** For picks: to ask the signal takes up a seventh of what V8 inlines into one, which then leaves numbers on the heap. */
  #isClosed = false;
  #picker: Picker<EndpointCandidate<C>> = () => undefined;

  constructor(endpointer: Endpointer<C>, strategy: Strategy, options: BalancerOptions) {
    this.clock = options.clock ?? systemClock;
    this.#pickClock = new HeldClock(this.clock);
    this.deadlines = new DeadlineQueue(this.clock);
    this.measures = options.metric !== undefined;
    this.#endpointer = endpointer;
    this.#whenEmpty = options.whenEmpty ?? DEFAULTS.whenEmpty;
    this.#service = options.service;
    const random = options.random ?? systemRandom;
    this.#ejection = options.ejection
      ? this.#eject(options.ejection, random, resolveLogger(options.logger))
      : undefined;
    this.#candidates = new Candidates(options.metric, this.#ejection, this.#pickClock, endpointer.availability);
    this.#distribute = strategy({ clock: this.#pickClock, random });
    this.#waiting = new WaitingRoom(endpointer, this.clock);
    this.#subscription = endpointer.subscribe((endpoints) => {
      this.#pickClock.hold(); // an update is of one moment too, however many addresses ask for the time
      try {
        this.#picker = this.#distribute(this.#candidates.replace(endpoints));
      } finally {
        this.#pickClock.release();
      }
    });
    this.call = <R>(operation: (client: C, context: CallContext) => Promise<R>, callOptions?: CallOptions) =>
      new Promise<R>((resolve, reject) => {
        new Attempt(this, operation, callOptions ?? NO_OPTIONS, resolve, reject).start();
      });
  }

  pick(request: PickRequest = {}): Pick<C> | Promise<Pick<C>> {
    const untilMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
    const pick = request.signal?.aborted ? undefined : this.tryPick(request, untilMs);
    return pick ?? this.#waitForPick(request);
  }

  async ready({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const stayAlive = holdProcess(this.clock);
    const { availability, membership } = this.#endpointer;
    const inVain = new AbortController();
    using _watching = membership.subscribe((view) => {
      if (noneWillCome(view)) inVain.abort(this.nothingToPick());
    });
    const ends = [this.#closing.signal, inVain.signal];
    try {
      await firstMatch(availability, ({ ready }) => ready > 0, AbortSignal.any(signal ? [signal, ...ends] : ends));
    } catch (cause) {
      if (ends.some(({ aborted }) => aborted)) throw cause;
      throw new RollcallError("CANCELLED", "waiting for an endpoint was cancelled", {
        cause: this.nothingToPick(cause),
      });
    } finally {
      stayAlive.cancel();
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing.abort(this.#closed());
    this.#subscription[Symbol.dispose]();
    this.#ejection?.[Symbol.dispose]();
    this.#waiting.tryAll();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  tryPick(request: PickRequest, untilMs: number): Pick<C> | undefined {
    this.#pickClock.hold();
    try {
      return this.#pickNow(request, untilMs);
    } finally {
      this.#pickClock.release();
    }
  }

  #pickNow(request: PickRequest, untilMs: number): Pick<C> | undefined {
    if (this.#isClosed) throw this.#closed();
    const { ready, connecting } = this.#endpointer.availability.current;
    if (ready === 0 && connecting > 0) return undefined; // without a look at the endpoints: many may wait for many
    const candidate = this.#ejection === undefined ? this.#picker(request) : this.#ejection.pick(this.#picker, request);
    if (candidate === undefined) {
      const { current } = this.#endpointer.membership;
      if (this.#whenEmpty === "fail" || noneWillCome(current)) throw this.nothingToPick();
      return undefined;
    }
    if (!candidate.takesCalls) {
      if (connecting > 0) return undefined;
      // To try an endpoint again that nobody can reach would keep the process busy with nothing else in a total outage.
      const tried = request.exclude?.has(candidate.address) ?? false;
      if (ready === 0 && tried && untilMs < Number.POSITIVE_INFINITY) return undefined;
    }
    return new EndpointPick(candidate, this.#pickClock);
  }

  wait(tryNow: () => boolean): () => void {
    return this.#waiting.join(tryNow);
  }

  nothingToPick(cause?: unknown): RollcallError {
    return nothingToPick(this.#endpointer.membership.current, this.#service, cause);
  }

  /** Apart from `pick()`: a function that makes a closure makes room for what that captures, 48 B, at every call. */
  #waitForPick(request: PickRequest): Promise<Pick<C>> {
    return new Promise((resolve, reject) => new PickWait(this, request, resolve, reject).start());
  }

  #eject(options: EjectionOptions, random: Random, logger: Logger): OutlierEjection<EndpointCandidate<C>> {
    const { availability } = this.#endpointer;
    const report = ejectionReport(this.#service, logger);
    return new OutlierEjection({ rule: ejectionRule(options), availability, clock: this.#pickClock, random, report });
  }

  #closed(): RollcallError {
    const what = this.#service === undefined ? "balancer" : `client of "${this.#service}"`;
    return new RollcallError("CLOSED", `the ${what} is closed`);
  }
}

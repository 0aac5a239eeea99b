/**
 * Stops calling a service that fails for everybody, and tries again with one call (go-kit's and Sony's `gobreaker`; Hystrix).
 *
 * Why a share of the calls and no count of failures in a row, gobreaker's default: it stands before several instances, and
 * one of them that fails makes five in a row soon enough. Leaving out that one is the work of ejection; this is for when all of
 * them are down, so that callers are told at once and do not wait for it.
 *
 * The drawing holds every transition, and a test compares it with the function.
 *
 *   closed     ─ failing ───▶ open        too large a share of the calls failed
 *   open       ─ rested ────▶ half-open   let one call through
 *   half-open  ─ recovered ─▶ closed
 *   half-open  ─ failing ───▶ open
 */
import { checkNumber, checkWindow } from "../check-number.js";
import { type Clock, systemClock } from "../clock.js";
import { checkDuration } from "../deadline-queue.js";
import { RollcallError } from "../errors.js";
import { refuseUnknownOptions } from "../known-options.js";
import { type Logger, resolveLogger } from "../logger.js";
import { publishCircuitBreaker } from "../observe/events.js";
import type { Outcome } from "../outcome.js";
import type { Layer } from "./call.js";
import { CallWindow } from "./call-window.js";
import { followAnswer, isAccepted, isServersFault } from "./follow.js";

export type CircuitState = "closed" | "open" | "half-open";
export type CircuitChange = "failing" | "rested" | "recovered";

export interface CircuitBreakerOptions {
  /** For errors, events and log lines; default `calls`. (gobreaker: `Name`.) */
  readonly name?: string | undefined;
  /** The share of failed calls that opens it; default 0.5. (Hystrix: `errorThresholdPercentage`; gobreaker: `ReadyToTrip`.) */
  readonly failureRatio?: number | undefined;
  /** The fewest calls that say anything; default 20. (Hystrix: `requestVolumeThreshold`.) */
  readonly minCalls?: number | undefined;
  /** How far back calls count; default 10,000 ms. (gobreaker: `Interval`.) */
  readonly windowMs?: number | undefined;
  /** How long it stays open, and how long one call may try it out before another does; default 5,000 ms. (Hystrix: `sleepWindow`; gobreaker: `Timeout`, 60 s.) */
  readonly openMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | false | undefined;
}

const DEFAULTS = { name: "calls", failureRatio: 0.5, minCalls: 20, windowMs: 10_000, openMs: 5_000 };

const KNOWN: Readonly<Record<keyof CircuitBreakerOptions, true>> = {
  name: true,
  failureRatio: true,
  minCalls: true,
  windowMs: true,
  openMs: true,
  clock: true,
  logger: true,
};

/** The next state; the same one where the change means nothing. */
export function transition(state: CircuitState, change: CircuitChange): CircuitState {
  switch (change) {
    case "failing":
      return "open";
    case "rested":
      return state === "open" ? "half-open" : state;
    case "recovered":
      return state === "half-open" ? "closed" : state;
  }
}

/**
 * Refuses with `CIRCUIT_OPEN` while it is open. Failures are those that are the service's fault. Each call that the layer
 * wraps has a breaker of its own.
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): Layer {
  const settings = settingsOf(options);
  return (next) => {
    const breaker = new CircuitBreaker(settings);
    return (operation, callOptions) => {
      const refusal = breaker.refusal();
      if (refusal !== undefined) return Promise.reject(refusal);
      return followAnswer(next, operation, callOptions, breaker.begin());
    };
  };
}

interface Settings {
  readonly name: string;
  readonly failureRatio: number;
  readonly minCalls: number;
  readonly windowMs: number;
  readonly openMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** All of `CircuitBreakerOptions`, checked. */
function settingsOf(options: CircuitBreakerOptions): Settings {
  refuseUnknownOptions("circuitBreaker()", options, KNOWN);
  const { name = DEFAULTS.name, failureRatio = DEFAULTS.failureRatio, minCalls = DEFAULTS.minCalls } = options;
  const { windowMs = DEFAULTS.windowMs, openMs = DEFAULTS.openMs, clock = systemClock } = options;
  checkNumber("failureRatio", failureRatio, "above 0 and at most 1", failureRatio > 0 && failureRatio <= 1);
  checkNumber("minCalls", minCalls, "from 1 on", minCalls >= 1);
  checkWindow("windowMs", windowMs);
  checkDuration("openMs", openMs);
  return { name, failureRatio, minCalls, windowMs, openMs, clock, logger: resolveLogger(options.logger) };
}

class CircuitBreaker {
  readonly #settings: Settings;
  #state: CircuitState = "closed";
  #window: CallWindow;
  #openedMs = 0;
  /** When the newest call that tries it out began, unless that one told nothing. */
  #probedMs = Number.NEGATIVE_INFINITY;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#window = new CallWindow(settings.windowMs);
  }

  /** Why a call may not be sent now. */
  refusal(): RollcallError | undefined {
    const { name, openMs } = this.#settings;
    if (this.#state === "closed") return undefined;
    const nowMs = this.#settings.clock.nowMs();
    if (this.#state === "open" && nowMs - this.#openedMs >= openMs) this.#change("rested");
    if (this.#state === "half-open" && nowMs - this.#probedMs >= openMs) return undefined;
    const until = this.#state === "open" ? "it is tried again soon" : "one call is trying it out";
    return new RollcallError(
      "CIRCUIT_OPEN",
      `the call was not sent, because the circuit of "${name}" is open; ${until}`,
    );
  }

  /** Counts a call that is sent; what it returns, its answer, unless the state has changed since. */
  begin(): (outcome: Outcome) => void {
    const window = this.#window;
    const isProbe = this.#state === "half-open";
    if (isProbe) this.#probedMs = this.#settings.clock.nowMs();
    return (outcome) => {
      if (window !== this.#window) return;
      if (isProbe) this.#probed(outcome);
      else this.#count(outcome);
    };
  }

  #probed(outcome: Outcome): void {
    if (isServersFault(outcome))
      this.#change("failing", `a call that tried it out failed with ${outcome.code ?? "an error"}`);
    else if (isAccepted(outcome)) this.#change("recovered");
    else this.#probedMs = Number.NEGATIVE_INFINITY;
  }

  #count(outcome: Outcome): void {
    const ended = this.#window.current(this.#settings.clock.nowMs());
    if (isAccepted(outcome)) ended.accepted += 1;
    if (!isServersFault(outcome)) return;
    ended.failed += 1;
    this.#judge();
  }

  #judge(): void {
    const { failureRatio, minCalls, windowMs } = this.#settings;
    const nowMs = this.#settings.clock.nowMs();
    const failed = this.#window.sum("failed", nowMs);
    const ended = failed + this.#window.sum("accepted", nowMs);
    if (ended < minCalls || failed < ended * failureRatio) return;
    this.#change("failing", `${failed} of ${ended} calls failed within ${windowMs / 1_000} s`);
  }

  #change(change: CircuitChange, reason?: string): void {
    const { name } = this.#settings;
    const before = this.#state;
    this.#state = transition(before, change);
    this.#window = new CallWindow(this.#settings.windowMs);
    this.#probedMs = Number.NEGATIVE_INFINITY;
    if (this.#state === "open") this.#openedMs = this.#settings.clock.nowMs();
    if (before === "closed") this.#settings.logger.warn(`the circuit of "${name}" is open: ${reason}`);
    if (this.#state === "closed") this.#settings.logger.warn(`the circuit of "${name}" is closed again`);
    publishCircuitBreaker({ name, state: this.#state, ...(reason !== undefined && { reason }) });
  }
}

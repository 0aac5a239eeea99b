/**
 * Guarded peak EWMA: how long an answer takes here, times the calls in progress and the next one.
 *
 *     cost = max(latency, age of the oldest unanswered call) × (pending + 1) + failing × 2 × the highest cost among the peers
 *
 * `latency` is Finagle's peak EWMA (`PeakEwma.scala`): a slower answer counts at once, faster ones by an exponentially
 * weighted average over time. The average is of the logarithm, as latencies differ by factors: a server that hung for three
 * seconds among some that answer in two milliseconds is used again after 15 s; by Finagle's average it would be 40 s.
 *
 * What it is guarded against:
 *
 * - **Silence.** An average hears of a call when it ends, and of one that hangs never. So the oldest call without an answer
 *   counts with its age. A stream is answered with its first response; how long it runs says nothing.
 * - **Fast failures**, which look like fast answers. A failure is no sample of latency, unless it took longer than that; it
 *   raises `failing`, from 0 to 1. Why relative: a constant penalty is nothing beside a peer with a thousand calls in
 *   progress, and far too much where an answer takes a millisecond. The peers' own failures are left out of the comparison,
 *   or the penalties of a service that fails everywhere would drive each other up without end.
 * - **Oblivion.** Without calls, an estimate moves towards the median of all endpoints. Finagle's moves to 0, which makes a
 *   server the favourite that was only avoided for a while. A new endpoint starts with that median. All move towards one
 *   value, so that nobody overtakes another by waiting.
 * - **Cancelled calls.** They are no samples, but one that ran for longer than the estimate proves it too low.
 *
 * Not guarded against: a client that stands still itself sees all its calls in progress as slow, on all endpoints alike. (What was
 * measured: docs/decisions/0021-what-an-endpoint-costs.md.)
 */
import { checkWindow } from "../../check-number.js";
import type { Clock } from "../../clock.js";
import { refuseUnknownOptions } from "../../known-options.js";
import type { Outcome } from "../../outcome.js";
import type { InFlight, Meter, Metric, Peers } from "../meter.js";
import { Unanswered } from "./unanswered.js";

export interface PeakEwmaOptions {
  /**
   * After how long an old sample, or an old failure, weighs 1/e (37 %); default 10,000 ms. Shorter forgives sooner and
   * spreads worse. (Finagle and Linkerd: `decayTime`, `decay`, the same default.)
   */
  readonly decayMs?: number | undefined;
}

const DEFAULTS = { decayMs: 10_000 };
/** Below this the difference between two servers is lost in that between two turns of this process. */
const FINEST_MS = 0.1;
/**
 * What a call in progress counts on an endpoint that has never answered. Counted as one, it would get 1.23 times its share
 * until its first answer, as by the calls in progress alone: it begins with none and catches up.
 */
const UNPROVEN = 1.25;
/** What a failure leaves of the trust in an endpoint: one is soon forgotten, three in a row keep the calls away for seconds. */
const TRUST_AFTER_FAILURE = 0.5;
/** What a success leaves of the distrust: with a failure in a hundred calls nobody is avoided, with one in five they are. */
const DISTRUST_AFTER_SUCCESS = 0.9;
/** An endpoint that fails costs so many times more than the costliest of its peers, before its own load is added. */
const PENALTY = 2;
/** Less distrust than this is none, and costs no further thought. */
const NEGLIGIBLE = 0.01;
/** The part of a decay in which nothing decays that could be felt. */
const MOMENT = 0.001;
/** What a server may ask for at most. (Linkerd's load biaser: 300 s.) */
const LONGEST_PUSHBACK_MS = 300_000;

const KNOWN: Readonly<Record<keyof PeakEwmaOptions, true>> = { decayMs: true };

export function peakEwma(options: PeakEwmaOptions = {}): Metric {
  refuseUnknownOptions("peakEwma()", options, KNOWN);
  const { decayMs = DEFAULTS.decayMs } = options;
  checkWindow("decayMs", decayMs);
  return (peers, { clock }) => new GuardedPeakEwma(peers, clock, decayMs);
}

class GuardedPeakEwma implements Meter {
  readonly #peers: Peers;
  readonly #clock: Clock;
  readonly #decayMs: number;
  readonly #unanswered = new Unanswered();
  #pending = 0;
  /** As of the last sample; NaN before the first, since a field that is not always a number costs an object at each write. */
  #latencyMs = Number.NaN;
  #sampledMs = 0;
  /** The latency as decayed until now, or a moment ago. */
  #estimateMs = FINEST_MS;
  #estimatedUntilMs = Number.NEGATIVE_INFINITY;
  /** From 0 to 1, as of the last change. */
  #failing = 0;
  #judgedMs = 0;
  #leaveAloneUntilMs = Number.NEGATIVE_INFINITY;

  constructor(peers: Peers, clock: Clock, decayMs: number) {
    this.#peers = peers;
    this.#clock = clock;
    this.#decayMs = decayMs;
  }

  cost(): number {
    const nowMs = this.#clock.nowMs();
    const oldest = this.#unanswered.oldest;
    const ageMs = oldest === undefined ? 0 : nowMs - oldest.startedMs;
    const pending = Number.isNaN(this.#latencyMs) ? this.#pending * UNPROVEN : this.#pending;
    const load = Math.max(this.#latencyAt(nowMs), ageMs) * (pending + 1);
    const failing = nowMs < this.#leaveAloneUntilMs ? 1 : this.#failingAt(nowMs);
    return failing === 0 ? load : load + failing * PENALTY * this.#peers.maxCost(nowMs);
  }

  idleCost(): number | undefined {
    return Number.isNaN(this.#latencyMs) ? undefined : this.#latencyAt(this.#clock.nowMs());
  }

  /** Without the age as well: a peer that hangs is no measure for one that fails. */
  blamelessCost(): number {
    return this.#latencyAt(this.#clock.nowMs()) * (this.#pending + 1);
  }

  begin(call: InFlight): void {
    this.#pending += 1;
    this.#unanswered.add(call);
  }

  answered(call: InFlight): void {
    this.#unanswered.remove(call);
    this.#sample(call.firstResponseMs ?? 0, this.#clock.nowMs());
  }

  end(call: InFlight, outcome: Outcome): void {
    const nowMs = this.#clock.nowMs();
    this.#pending -= 1;
    const answeredBefore = call.firstResponseMs !== undefined;
    if (!answeredBefore) {
      this.#unanswered.remove(call);
      const elapsedMs = outcome.firstResponseMs ?? nowMs - call.startedMs;
      if (serverAnswered(outcome)) this.#sample(elapsedMs, nowMs);
      else this.#atLeast(elapsedMs, nowMs);
    }
    if (outcome.kind === "ok") this.#judge(nowMs, this.#failingAt(nowMs) * DISTRUST_AFTER_SUCCESS);
    else if (isServersFailure(outcome)) this.#failed(nowMs, outcome.pushbackMs ?? 0);
  }

  /** Of a moment ago, which is as good: the cost of a pick would else be that of its exponentials. */
  #latencyAt(nowMs: number): number {
    if (nowMs >= this.#estimatedUntilMs) this.#estimate(this.#decayedLatency(nowMs), nowMs);
    return this.#estimateMs;
  }

  #estimate(latencyMs: number, nowMs: number): void {
    this.#estimateMs = Math.max(FINEST_MS, latencyMs);
    this.#estimatedUntilMs = nowMs + this.#decayMs * MOMENT;
  }

  #decayedLatency(nowMs: number): number {
    const median = this.#peers.medianIdleCost(nowMs);
    if (Number.isNaN(this.#latencyMs)) return median;
    if (median === 0) return this.#latencyMs; // the first to know anything
    return between(median, this.#latencyMs, this.#kept(nowMs - this.#sampledMs));
  }

  #sample(elapsedMs: number, nowMs: number): void {
    const before = this.#latencyMs;
    if (Number.isNaN(before)) this.#latencyMs = this.#firstSample(elapsedMs, nowMs);
    else if (elapsedMs >= this.#latencyAt(nowMs)) this.#latencyMs = elapsedMs;
    else this.#latencyMs = between(elapsedMs, before, this.#kept(nowMs - this.#sampledMs));
    this.#sampledMs = nowMs;
    this.#estimate(this.#latencyMs, nowMs);
  }

  /** A slow first answer may be slow for being the first: of a connection, or of a program not yet compiled. It counts half. */
  #firstSample(elapsedMs: number, nowMs: number): number {
    const median = this.#peers.medianIdleCost(nowMs);
    return median === 0 || elapsedMs <= median ? elapsedMs : between(median, elapsedMs, 0.5);
  }

  /** An answer would have taken longer than this. */
  #atLeast(elapsedMs: number, nowMs: number): void {
    if (elapsedMs > this.#latencyAt(nowMs)) this.#sample(elapsedMs, nowMs);
  }

  #failed(nowMs: number, pushbackMs: number): void {
    this.#judge(nowMs, 1 - (1 - this.#failingAt(nowMs)) * TRUST_AFTER_FAILURE);
    if (pushbackMs <= 0) return;
    const untilMs = nowMs + Math.min(pushbackMs, LONGEST_PUSHBACK_MS);
    this.#leaveAloneUntilMs = Math.max(this.#leaveAloneUntilMs, untilMs);
  }

  #failingAt(nowMs: number): number {
    return this.#failing === 0 ? 0 : this.#failing * this.#kept(nowMs - this.#judgedMs);
  }

  #judge(nowMs: number, failing: number): void {
    this.#failing = failing < NEGLIGIBLE ? 0 : failing;
    this.#judgedMs = nowMs;
  }

  /** What is left of something after so long. */
  #kept(elapsedMs: number): number {
    const decays = elapsedMs / this.#decayMs;
    return decays < MOMENT ? 1 - decays : Math.exp(-decays); // the same to six digits, and at a high rate nearly always
  }
}

/** From `from`, of which the part `kept` is left, to `to`: the weighted mean of their logarithms. */
function between(toMs: number, fromMs: number, kept: number): number {
  const to = Math.max(FINEST_MS, toMs);
  const from = Math.max(FINEST_MS, fromMs);
  return from * Math.exp((kept - 1) * Math.log(from / to)); // a power would take three times as long
}

/** A failure too that is the caller's, if it has a name: without one it may have happened before anything was sent. */
function serverAnswered({ kind, fault, code, reached }: Outcome): boolean {
  return kind === "ok" || (kind === "failed" && fault === "caller" && reached === "maybe-seen" && code !== undefined);
}

/** Overload too: it is no reason to think that the server is ill, but it asks for fewer calls. */
function isServersFailure({ kind, fault }: Outcome): boolean {
  return kind === "failed" && fault !== "caller";
}

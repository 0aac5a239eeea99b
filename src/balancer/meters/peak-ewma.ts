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
import { type Outcome, ok } from "../../outcome.js";
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
/**
 * Costs are whole microseconds. A fraction that a function returns is put on the heap, 16 B, unless V8 inlines the function; a
 * small integer is not, and a pick compares two costs.
 */
const COST_OF_MS = 1_000;
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
  /** Whether there was a sample. */
  #proven = false;
  /** As of the last sample. */
  #latencyMs = FINEST_MS;
  #sampledMs = 0;
  /** The latency as decayed until now, or a moment ago. */
  #estimateMs = FINEST_MS;
  #estimatedUntilMs = Number.NEGATIVE_INFINITY;
  /** Whether any of the following may say something. */
  #blamed = false;
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
    if (nowMs >= this.#estimatedUntilMs) this.#estimate();
    const ageMs = nowMs - this.#unanswered.sinceMs;
    const pending = this.#proven ? this.#pending : this.#pending * UNPROVEN;
    let cost = Math.max(this.#estimateMs, ageMs) * (pending + 1) * COST_OF_MS;
    if (this.#blamed) cost += this.#penalty();
    return Math.round(cost);
  }

  idleCost(): number | undefined {
    return this.#proven ? Math.round(this.#latency() * COST_OF_MS) : undefined;
  }

  /** Without the age as well: a peer that hangs is no measure for one that fails. */
  blamelessCost(): number {
    return Math.round(this.#latency() * (this.#pending + 1) * COST_OF_MS);
  }

  begin(call: InFlight): void {
    this.#pending += 1;
    this.#unanswered.add(call);
  }

  answered(call: InFlight): void {
    this.#unanswered.remove(call);
    this.#sample(call, ok);
  }

  end(call: InFlight, outcome: Outcome): void {
    this.#pending -= 1;
    if (call.firstResponseMs === undefined) {
      this.#unanswered.remove(call);
      this.#sample(call, outcome);
    }
    if (this.#blamed || outcome.kind === "failed") this.#judge(outcome);
  }

  /** Of a moment ago, which is as good: the cost of a pick would else be that of its exponentials. */
  #latency(): number {
    if (this.#clock.nowMs() >= this.#estimatedUntilMs) this.#estimate();
    return this.#estimateMs;
  }

  /** By the weighted mean of the logarithms, as below; a power of the ratio would take three times as long. */
  #estimate(): void {
    const nowMs = this.#clock.nowMs();
    const median = this.#peers.medianIdleCost(nowMs) / COST_OF_MS;
    let latencyMs = this.#latencyMs;
    if (!this.#proven) latencyMs = median;
    else if (median > 0) latencyMs = median * Math.exp(this.#kept(this.#sampledMs) * Math.log(latencyMs / median));
    this.#estimateMs = Math.max(FINEST_MS, latencyMs);
    this.#estimatedUntilMs = nowMs + this.#decayMs * MOMENT;
  }

  /**
   * Takes what one call took. In one piece, which is given objects and returns nothing: made of functions that pass each other
   * numbers it put 50 to 100 B a call on the heap, depending on what V8 inlined.
   */
  #sample(call: InFlight, outcome: Outcome): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#estimatedUntilMs) this.#estimate();
    const { firstResponseMs } = outcome;
    const elapsedMs =
      firstResponseMs === undefined
        ? Math.max(FINEST_MS, nowMs - call.startedMs)
        : Math.max(FINEST_MS, firstResponseMs);
    if (elapsedMs <= this.#estimateMs && !serverAnswered(outcome)) return; // an answer would have taken longer than this
    if (!this.#proven) {
      this.#latencyMs = this.#first(elapsedMs);
      this.#proven = true;
    } else if (elapsedMs >= this.#estimateMs) {
      this.#latencyMs = elapsedMs;
    } else {
      const gone = 1 - Math.exp((this.#sampledMs - nowMs) / this.#decayMs);
      this.#latencyMs *= Math.exp(gone * Math.log(elapsedMs / this.#latencyMs));
    }
    this.#sampledMs = nowMs;
    this.#estimateMs = this.#latencyMs;
    this.#estimatedUntilMs = nowMs + this.#decayMs * MOMENT;
  }

  /** A slow first answer may be slow for being the first: of a connection, or of a program not yet compiled. It counts half. */
  #first(elapsedMs: number): number {
    const median = this.#peers.medianIdleCost(this.#clock.nowMs()) / COST_OF_MS;
    return median === 0 || elapsedMs <= median ? elapsedMs : Math.sqrt(elapsedMs * median);
  }

  #judge(outcome: Outcome): void {
    const nowMs = this.#clock.nowMs();
    const failing = this.#failing * this.#kept(this.#judgedMs);
    if (outcome.kind === "ok") {
      this.#failing = failing * DISTRUST_AFTER_SUCCESS;
    } else if (isServersFailure(outcome)) {
      this.#failing = 1 - (1 - failing) * TRUST_AFTER_FAILURE;
      const untilMs = nowMs + Math.min(outcome.pushbackMs ?? 0, LONGEST_PUSHBACK_MS);
      this.#leaveAloneUntilMs = Math.max(this.#leaveAloneUntilMs, untilMs);
    } else {
      return;
    }
    this.#judgedMs = nowMs;
    if (this.#failing < NEGLIGIBLE) this.#failing = 0;
    this.#blamed = this.#failing > 0 || nowMs < this.#leaveAloneUntilMs;
  }

  #penalty(): number {
    const nowMs = this.#clock.nowMs();
    const failing = nowMs < this.#leaveAloneUntilMs ? 1 : this.#failing * this.#kept(this.#judgedMs);
    return failing * PENALTY * this.#peers.maxCost(nowMs);
  }

  /** What is left by now of something of then. */
  #kept(thenMs: number): number {
    return Math.exp((thenMs - this.#clock.nowMs()) / this.#decayMs);
  }
}

/** A failure too that is the caller's, if it has a name: without one it may have happened before anything was sent. */
function serverAnswered({ kind, fault, code, reached }: Outcome): boolean {
  return kind === "ok" || (kind === "failed" && fault === "caller" && reached === "maybe-seen" && code !== undefined);
}

/** Overload too: it is no reason to think that the server is ill, but it asks for fewer calls. */
function isServersFailure({ kind, fault }: Outcome): boolean {
  return kind === "failed" && fault !== "caller";
}

/** How a metric hears of the calls on one endpoint, and what it makes of them. */
import type { Clock } from "../clock.js";
import type { Outcome } from "../outcome.js";

/** A call in progress, as a meter sees it. */
export interface InFlight {
  /** When it was picked, on the balancer's clock. */
  readonly startedMs: number;
  /** Milliseconds until the first response of a call that went on after it, as a stream does; absent while there is none. */
  readonly firstResponseMs?: number | undefined;
  /** Room for the list in which the endpoint's meter keeps its calls in order, so that none is made per call. */
  before?: InFlight | undefined;
  after?: InFlight | undefined;
}

/** Measures one endpoint. It belongs to the address and survives every update and reconnect. */
export interface Meter {
  /** What the next call would cost here, in a unit of the metric's own; finite and never negative. */
  cost(): number;
  /** The same without the calls in progress; undefined while nothing was measured. Absent: as `cost()`. */
  idleCost?(): number | undefined;
  /** `cost()` without what its failures add, for others to be judged by. Absent: as `cost()`. */
  blamelessCost?(): number;
  begin(call: InFlight): void;
  /** The first response is there and the call goes on: `firstResponseMs` is set from now on. */
  answered?(call: InFlight): void;
  end(call: InFlight, outcome: Outcome): void;
}

/**
 * The endpoints of the set, the asking one among them, for a metric that judges relative to them. As they were a moment
 * ago: whoever asks at every pick is not made to look at everybody. `nowMs` is the time on the balancer's clock, which whoever
 * asks has read already.
 */
export interface Peers {
  /** The (lower) median of the idle costs that are known; 0 while none is. */
  medianIdleCost(nowMs: number): number;
  /** The highest cost, failures left out. */
  maxCost(nowMs: number): number;
}

export type Metric = (peers: Peers, environment: { readonly clock: Clock }) => Meter;

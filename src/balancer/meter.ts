/** How a metric hears of the calls on one endpoint, and what it makes of them. */
import type { Clock } from "../clock.js";
import type { Outcome } from "../outcome.js";

/** A call in progress, as a meter sees it. */
export interface InFlight {
  /** When it was picked, on the balancer's clock. */
  readonly startedMs: number;
  /** Room for the list in which the endpoint's meter keeps its calls in order, so that none is made per call. */
  before?: InFlight | undefined;
  after?: InFlight | undefined;
}

/** Measures one endpoint. It belongs to the address and survives every update and reconnect. */
export interface Meter {
  /** What the next call would cost here, in a unit of the metric's own; a strategy compares it after division by the weight. */
  cost(): number;
  /** The same without the calls in progress, for the others to be judged by; absent: as `cost()`. */
  idleCost?(): number;
  begin(call: InFlight): void;
  end(call: InFlight, outcome: Outcome): void;
}

/** The other endpoints of the set, for a metric that judges relative to them. Both are 0 while there are none. */
export interface Peers {
  medianIdleCost(): number;
  maxCost(): number;
}

export type Metric = (peers: Peers, environment: { readonly clock: Clock }) => Meter;

/** How a metric hears of the calls on one endpoint, and what it makes of them. */
import type { Clock } from "../clock.js";
import type { Outcome } from "../outcome.js";

/** A call in progress, as a meter sees it. */
export interface InFlight {
  /** When it was picked, on the balancer's clock. */
  readonly startedMs: number;
}

/** Measures one endpoint. It belongs to the address and survives every update and reconnect. */
export interface Meter {
  cost(): number;
  begin(call: InFlight): void;
  end(call: InFlight, outcome: Outcome): void;
}

/** The other endpoints of the set, for a metric that judges relative to them. */
export interface Peers {
  medianCost(): number;
  maxCost(): number;
}

export type Metric = (peers: Peers, environment: { readonly clock: Clock }) => Meter;

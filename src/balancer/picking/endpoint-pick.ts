import type { Endpoint } from "../../endpoints/endpoint.js";
import { reportStray } from "../../errors.js";
import type { Outcome } from "../../outcome.js";
import type { Pick } from "../balancer.js";
import type { EndpointCandidate } from "../candidates/candidates.js";
import type { Health } from "../ejection/health.js";
import type { InFlight, Meter } from "../meter.js";
import type { HeldClock } from "./held-clock.js";

/** A call on an endpoint: counted by the endpoint, measured if there is a metric, and heard if endpoints are ejected. */
export class EndpointPick<C> implements Pick<C>, InFlight {
  readonly endpoint: Endpoint<C>;
  readonly startedMs: number;
  firstResponseMs: number | undefined = undefined;
  before: InFlight | undefined = undefined;
  after: InFlight | undefined = undefined;
  readonly #clock: HeldClock;
  readonly #meter: Meter | undefined;
  readonly #health: Health<EndpointCandidate<C>> | undefined;
  #ended = false;

  constructor(candidate: EndpointCandidate<C>, clock: HeldClock) {
    this.endpoint = candidate.endpoint;
    this.#clock = clock;
    this.#meter = candidate.meter;
    this.#health = candidate.health;
    this.startedMs = clock.nowMs();
    this.#meter?.begin(this);
    this.endpoint.begin();
    this.#health?.began(this);
  }

  answered(): void {
    if (this.#ended || this.firstResponseMs !== undefined) return;
    this.firstResponseMs = this.#clock.nowMs() - this.startedMs;
    this.#health?.answered(this);
    try {
      this.#meter?.answered?.(this);
    } catch (error) {
      reportStray(error);
    }
  }

  done(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.endpoint.end(outcome);
    if (this.#meter === undefined && this.#health === undefined) return;
    this.#clock.hold(); // read once for both
    try {
      this.#health?.ended(this, outcome);
      this.#meter?.end(this, outcome);
    } catch (error) {
      reportStray(error); // the call has ended, whatever is made of it
    } finally {
      this.#clock.release();
    }
  }
}

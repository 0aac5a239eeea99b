import type { Availability, Endpoint, EndpointState } from "./endpoint.js";

/** Counts endpoints by their state; a change of one state costs the same however many there are. */
export class AvailabilityTally {
  readonly #registered: Record<EndpointState, number> = { ready: 0, connecting: 0, unready: 0 };
  readonly #retained: Record<EndpointState, number> = { ready: 0, connecting: 0, unready: 0 };
  readonly #total: number;

  constructor(endpoints: readonly Pick<Endpoint<unknown>, "state" | "retained">[]) {
    this.#total = endpoints.length;
    for (const { state, retained } of endpoints) this.#of(retained)[state] += 1;
  }

  move(retained: boolean, from: EndpointState, to: EndpointState): void {
    this.#of(retained)[from] -= 1;
    this.#of(retained)[to] += 1;
  }

  /** A registered endpoint that connects is waited for, rather than a retained one be called. */
  get availability(): Availability {
    const { ready, connecting } = this.#registered;
    const lastResort = ready === 0 && connecting === 0 && this.#retained.ready + this.#retained.connecting > 0;
    const taking = lastResort ? this.#retained : this.#registered;
    return { total: this.#total, ready: taking.ready, connecting: taking.connecting, lastResort };
  }

  #of(retained: boolean): Record<EndpointState, number> {
    return retained ? this.#retained : this.#registered;
  }
}

export function sameAvailability(a: Availability, b: Availability): boolean {
  return a.total === b.total && a.ready === b.ready && a.connecting === b.connecting && a.lastResort === b.lastResort;
}

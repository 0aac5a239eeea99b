/** Endpoints as a strategy sees them, each with its meter. A meter belongs to the address, whatever becomes of the endpoint. */
import type { Clock } from "../clock.js";
import { type Availability, byPlace, type Endpoint } from "../endpoints/endpoint.js";
import type { Live } from "../live.js";
import type { Meter, Metric, Peers } from "./meter.js";
import type { Candidate } from "./strategy.js";

/** An address that is back within this time is judged by what was known of it. */
const KEEP_AFTER_REMOVAL_MS = 60_000;

export interface EndpointCandidate<C> extends Candidate {
  readonly endpoint: Endpoint<C>;
  readonly meter: Meter | undefined;
}

export class Candidates<C> {
  readonly #metric: Metric | undefined;
  readonly #clock: Clock;
  readonly #availability: Live<Availability>;
  readonly #meters = new Map<string, Meter>();
  /** Since when an address is gone. */
  readonly #gone = new Map<string, number>();
  #current: readonly EndpointCandidate<C>[] = [];

  constructor(metric: Metric | undefined, clock: Clock, availability: Live<Availability>) {
    this.#metric = metric;
    this.#clock = clock;
    this.#availability = availability;
  }

  /** Who stayed keeps its candidate. Both sets have one order, so that one walk along them tells who did. */
  replace(endpoints: readonly Endpoint<C>[]): readonly EndpointCandidate<C>[] {
    const before = this.#current;
    const left: string[] = [];
    const came = new Set<string>();
    let next = 0;
    this.#current = endpoints.map((endpoint) => {
      let known = before[next];
      while (known !== undefined && known.endpoint !== endpoint && byPlace(known.endpoint, endpoint) <= 0) {
        left.push(known.address);
        known = before[++next];
      }
      if (known?.endpoint === endpoint) {
        next += 1;
        return known;
      }
      came.add(endpoint.address);
      return new MeteredEndpoint(endpoint, this.#meterOf(endpoint.address), this.#availability);
    });
    for (const { address } of before.slice(next)) left.push(address);
    this.#forget(left.filter((address) => !came.has(address)));
    return this.#current;
  }

  #meterOf(address: string): Meter | undefined {
    if (this.#metric === undefined) return undefined;
    const goneSinceMs = this.#gone.get(address);
    const expired = goneSinceMs !== undefined && this.#clock.nowMs() - goneSinceMs > KEEP_AFTER_REMOVAL_MS;
    const known = expired ? undefined : this.#meters.get(address);
    const meter = known ?? this.#metric(this.#peersOf(address), { clock: this.#clock });
    this.#meters.set(address, meter);
    this.#gone.delete(address);
    return meter;
  }

  /** `left` are gone from now on; what is known of those that are gone for long is let go. */
  #forget(left: readonly string[]): void {
    if (this.#metric === undefined) return;
    const nowMs = this.#clock.nowMs();
    for (const address of left) this.#gone.set(address, nowMs);
    for (const [address, sinceMs] of this.#gone) {
      if (nowMs - sinceMs <= KEEP_AFTER_REMOVAL_MS) continue;
      this.#gone.delete(address);
      this.#meters.delete(address);
    }
  }

  /** What a meter may ask of the others: reads the set as it is then. */
  #peersOf(address: string): Peers {
    const costs = () =>
      this.#current.filter((candidate) => candidate.address !== address).map((candidate) => candidate.cost());
    return {
      maxCost: () => Math.max(0, ...costs()),
      medianCost: () => median(costs()),
    };
  }
}

class MeteredEndpoint<C> implements EndpointCandidate<C> {
  readonly endpoint: Endpoint<C>;
  readonly meter: Meter | undefined;
  readonly address: string;
  readonly weight: number;
  readonly zone?: string;
  readonly #availability: Live<Availability>;

  constructor(endpoint: Endpoint<C>, meter: Meter | undefined, availability: Live<Availability>) {
    this.endpoint = endpoint;
    this.meter = meter;
    this.#availability = availability;
    this.address = endpoint.address;
    this.weight = endpoint.instance.weight ?? 1;
    if (endpoint.instance.zone !== undefined) this.zone = endpoint.instance.zone;
  }

  get usable(): boolean {
    const { state, retained } = this.endpoint;
    return state === "ready" && (!retained || this.#availability.current.lastResort);
  }

  cost(): number {
    return this.meter?.cost() ?? 0;
  }
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

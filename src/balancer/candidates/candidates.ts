/**
 * Endpoints as a strategy sees them, each with its meter and its health. These belong to the address, whatever becomes of
 * the endpoint.
 */
import type { Clock } from "../../clock.js";
import { type Availability, byPlace, type Endpoint } from "../../endpoints/endpoint.js";
import type { Live } from "../../live.js";
import type { Health } from "../ejection/health.js";
import type { OutlierEjection } from "../ejection/outlier-ejection.js";
import type { Meter, Metric } from "../meter.js";
import type { Candidate } from "../strategy.js";
import { isWeight, meanWeight } from "../weight.js";
import { PeerCosts } from "./peer-costs.js";
import { type Standing, Standings } from "./standings.js";

export interface EndpointCandidate<C> extends Candidate {
  readonly endpoint: Endpoint<C>;
  readonly meter: Meter | undefined;
  readonly health: Health<EndpointCandidate<C>> | undefined;
  /** Whether calls could be placed on it now, ejected or not. */
  readonly takesCalls: boolean;
}

export class Candidates<C> {
  readonly #availability: Live<Availability>;
  readonly #ejection: OutlierEjection<EndpointCandidate<C>> | undefined;
  readonly #standings: Standings<EndpointCandidate<C>>;
  readonly #peers: PeerCosts;
  readonly #unsaid: UnsaidWeight = { mean: 1 };
  #current: readonly EndpointCandidate<C>[] = [];

  constructor(
    metric: Metric | undefined,
    ejection: OutlierEjection<EndpointCandidate<C>> | undefined,
    clock: Clock,
    availability: Live<Availability>,
  ) {
    this.#availability = availability;
    this.#ejection = ejection;
    this.#peers = new PeerCosts();
    this.#standings = new Standings(
      (address) => ({ meter: metric?.(this.#peers, { clock }), health: ejection?.healthOf(address) }),
      clock,
    );
  }

  /** Who stayed keeps its candidate. Both sets have one order, so that one walk along them tells who did. */
  replace(endpoints: readonly Endpoint<C>[]): readonly EndpointCandidate<C>[] {
    const before = this.#current;
    this.#unsaid.mean = meanWeight(endpoints.map(({ instance }) => instance.weight));
    const left: EndpointCandidate<C>[] = [];
    const came = new Set<string>();
    let next = 0;
    this.#current = endpoints.map((endpoint) => {
      let known = before[next];
      while (known !== undefined && known.endpoint !== endpoint && byPlace(known.endpoint, endpoint) <= 0) {
        left.push(known);
        known = before[++next];
      }
      if (known?.endpoint === endpoint) {
        next += 1;
        return known;
      }
      came.add(endpoint.address);
      const standing = this.#standings.of(endpoint.address, before.length === 0);
      const candidate = new MeteredEndpoint(endpoint, standing, this.#unsaid, this.#availability);
      if (standing.health !== undefined) this.#ejection?.joined(standing.health, candidate);
      return candidate;
    });
    left.push(...before.slice(next));
    this.#bidFarewell(left.filter(({ address }) => !came.has(address)));
    this.#ejection?.settled(this.#current);
    this.#peers.replace(this.#current);
    return this.#current;
  }

  #bidFarewell(left: readonly EndpointCandidate<C>[]): void {
    for (const { health } of left) if (health !== undefined) this.#ejection?.left(health);
    this.#standings.left(left.map(({ address }) => address));
  }
}

class MeteredEndpoint<C> implements EndpointCandidate<C> {
  readonly endpoint: Endpoint<C>;
  readonly meter: Meter | undefined;
  readonly health: Health<EndpointCandidate<C>> | undefined;
  readonly address: string;
  readonly zone?: string;
  readonly version?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly joinedMs?: number;
  readonly #weight: number | undefined;
  readonly #unsaid: UnsaidWeight;
  readonly #availability: Live<Availability>;

  constructor(
    endpoint: Endpoint<C>,
    { meter, health, joinedMs }: Standing<EndpointCandidate<C>>,
    unsaid: UnsaidWeight,
    availability: Live<Availability>,
  ) {
    const { weight, zone, version, metadata } = endpoint.instance;
    this.endpoint = endpoint;
    this.meter = meter;
    this.health = health;
    this.#availability = availability;
    this.address = endpoint.address;
    this.#weight = isWeight(weight) ? weight : undefined;
    this.#unsaid = unsaid;
    if (zone !== undefined) this.zone = zone;
    if (version !== undefined) this.version = version;
    if (metadata !== undefined) this.metadata = metadata;
    if (joinedMs !== undefined) this.joinedMs = joinedMs;
  }

  get weight(): number {
    return this.#weight ?? this.#unsaid.mean;
  }

  get usable(): boolean {
    return this.takesCalls && (this.health === undefined || this.health.admitted);
  }

  get takesCalls(): boolean {
    const { state, retained } = this.endpoint;
    return state === "ready" && (!retained || this.#availability.current.lastResort);
  }

  get pending(): number {
    return this.endpoint.pending;
  }

  /**
   * The weight divides what the calls in progress add, and not the cost of an idle endpoint: where nobody is busy, the
   * heaviest would get every call, and it is the strategy's part to draw it more often.
   */
  cost(): number {
    if (this.health?.invited) return 0; // what it was known for before says nothing now
    const cost = this.meter === undefined ? this.pending + 1 : this.meter.cost();
    return this.#weight === undefined ? cost : this.#weighted(cost);
  }

  #weighted(cost: number): number {
    const share = this.weight / this.#unsaid.mean;
    if (share === 1) return cost;
    const idle = this.meter?.idleCost?.() ?? cost / (this.pending + 1); // what was never measured is not heavier for its weight
    return idle + (cost - idle) / share;
  }
}

/** Who says nothing of its weight weighs as much as the others do on average (gRFC A58). */
interface UnsaidWeight {
  mean: number;
}

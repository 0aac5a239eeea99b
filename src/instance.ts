/** The values that travel from a registry to a balancer: who is present, and how sure of it we are. */

/** One running copy of a service. Its identity is `id`; two instances with one `address` share one endpoint. */
export interface Instance {
  /** The registry's key of this instance, e.g. `/services/book/10.0.0.1:50051`. */
  readonly id: string;
  /** `host:port`; an IPv6 host stands in brackets. */
  readonly address: string;
  /** Share of traffic relative to its peers; above 0. Absent: the mean of the peers that have one, else 1. */
  readonly weight?: number;
  /** Where it runs, for clients that prefer their own zone. (Envoy: locality; gRPC xDS too.) */
  readonly zone?: string;
  /** Of the service; for people, and for clients that choose by it. */
  readonly version?: string;
  /** The scheme, where a layout names one (`grpc`, `http`, …). */
  readonly protocol?: string;
  /** True while it finishes its calls and wants no new ones. */
  readonly draining?: boolean;
  /** Whatever else clients should know. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a server says of itself when it registers: an instance before the registry gave it an id. */
export type NewInstance = Omit<Instance, "id">;

/**
 * A registry's view of one service.
 *
 * - `pending`: nothing is known yet; `error` says what stands in the way, once that is known.
 * - `live`: `instances` is exactly what the registry held at `revision`.
 * - `stale`: the registry cannot be heard; `instances` is the last live set, of this process or from a snapshot on disk, and
 *   may still be used.
 *
 * `instances` is sorted by id. `revision` never goes down within an `epoch`; the epoch goes up when the registry was
 * rebuilt (another cluster id, or a revision that went back). `retained` holds instances that vanished in a mass deletion and
 * are not registered again: a last resort, sorted by id, never among `instances`.
 */
export type Membership =
  | { readonly state: "pending"; readonly error?: Error }
  | {
      readonly state: "live";
      readonly instances: readonly Instance[];
      readonly retained: readonly Instance[];
      readonly revision: bigint;
      readonly epoch: number;
    }
  | {
      readonly state: "stale";
      readonly instances: readonly Instance[];
      readonly retained: readonly Instance[];
      readonly revision: bigint;
      readonly epoch: number;
      readonly error: Error;
      /** Until when it was known to be true, in milliseconds since the Unix epoch: when it went stale, or of a snapshot its age. */
      readonly sinceEpochMs: number;
    };

/** Whether two instances say the same, whatever the order of their metadata. */
export function sameInstance(a: Instance, b: Instance): boolean {
  return (
    a === b ||
    (a.id === b.id &&
      a.address === b.address &&
      a.weight === b.weight &&
      a.zone === b.zone &&
      a.version === b.version &&
      a.protocol === b.protocol &&
      a.draining === b.draining &&
      sameMetadata(a.metadata, b.metadata))
  );
}

/** Orders instances as every view does: by id, by code units. */
export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function sameMetadata(a: Instance["metadata"] = {}, b: Instance["metadata"] = {}): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name]);
}

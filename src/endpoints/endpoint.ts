/** Step 2 of 4: one client per address. The types between an instance and something that can be called. */
import { byId, type Instance, type Membership } from "../instance.js";
import type { Live } from "../live.js";
import type { Outcome } from "../outcome.js";

export type ConnectionStatus = "idle" | "connecting" | "ready" | "failing";

/** A client for one address, and what is known of its connection. */
export interface Connection<C> extends Partial<AsyncDisposable> {
  readonly client: C;
  /** Starts connecting, if that makes sense; returns at once and may be called again. */
  connect?(): void;
  /** Absent where a transport cannot tell: such a connection is taken to be ready. */
  readonly status?: Live<ConnectionStatus>;
  /** What an error of this connection's client means. Absent: never sent for a refused TCP connection, else maybe seen. */
  outcomeOf?(error: unknown): Outcome;
  /**
   * Told when an attempt got no answer for `silentMs`. A connection on which nothing at all arrived in that time replaces
   * itself and is not `ready` until the new one is.
   */
  suspect?(silentMs: number): void;
}

/** Makes the connection to an instance. Returns at once and opens nothing before `connect()` or the first call. */
export type Connect<C> = (instance: Instance) => Connection<C>;

/**
 * Whether new calls should go here.
 *
 * - `ready`: yes.
 * - `connecting`: worth waiting for; after a second it becomes `unready`.
 * - `unready`: only when no other endpoint is ready: it could not connect, or is taking too long.
 */
export type EndpointState = "connecting" | "ready" | "unready";

/** Something that can be called: an address with its connection. It lives as long as the address is in the set. */
export interface Endpoint<C> {
  readonly address: string;
  /** Of several instances with this address, the one with the lowest id. */
  readonly instance: Instance;
  readonly connection: Connection<C>;
  readonly state: EndpointState;
  /**
   * True when the registry lost the instance in a mass deletion: a last resort. It leaves the set when a connection to it
   * fails or a call finds nobody there, and stays out until it is registered again.
   */
  readonly retained: boolean;
  /** Calls in progress, on this endpoint and on those of its address that it replaced. */
  readonly pending: number;
  /** Counts a call in. When the address leaves the set, the connection is closed after the last call's `end()`. */
  begin(): void;
  end(outcome?: Outcome): void;
}

/** The order of every set of endpoints: the registered before the retained, and each of them by the id of its instance. */
export function byPlace(a: Endpoint<unknown>, b: Endpoint<unknown>): number {
  return a.retained === b.retained ? byId(a.instance, b.instance) : Number(a.retained) - Number(b.retained);
}

/** How many endpoints there are, and what they can do for a call now. */
export interface Availability {
  readonly total: number;
  /** Of those that take calls now: the registered ones, or the retained while `lastResort`. */
  readonly ready: number;
  readonly connecting: number;
  /** True while no registered endpoint is ready or connecting, and the retained ones take the calls. */
  readonly lastResort: boolean;
}

/**
 * The endpoints of a service: one for each address that may get new calls, in the order of `byPlace`. An endpoint is
 * replaced by an equal one on the same connection when what its instance says of itself changes.
 *
 * Closing it lets calls in progress finish, then closes every connection; it does not close the instancer.
 */
export interface Endpointer<C> extends Live<readonly Endpoint<C>[]>, AsyncDisposable {
  readonly membership: Live<Membership>;
  /** Follows the connections' states, which change without a new set. Published after each new set, even if it is the same. */
  readonly availability: Live<Availability>;
  close(): Promise<void>;
}

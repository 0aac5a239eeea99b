/**
 * Turns who is present into what can be called (go-kit's Endpointer).
 *
 * A new view is compared with the old set by address: who stays keeps its connection and its calls, also when its metadata
 * changed; who comes gets a connection in the background; who goes finishes its calls first. Nobody waits for anybody.
 */
import { type Clock, systemClock } from "../clock.js";
import { checkDuration } from "../deadline-queue.js";
import type { Instance, Membership } from "../instance.js";
import { sameInstance } from "../instance.js";
import { type Cell, cell, type Live } from "../live.js";
import { type Logger, resolveLogger } from "../logger.js";
import type { Outcome } from "../outcome.js";
import { type Random, systemRandom } from "../random.js";
import { AvailabilityTally, sameAvailability } from "./availability-tally.js";
import type { Availability, Connect, Endpoint, Endpointer, EndpointState } from "./endpoint.js";
import { ManagedConnection, type ManagedConnectionEnvironment } from "./managed-connection.js";

export interface EndpointerOptions {
  /**
   * How long calls in progress may go on when their instance has left; default 5,000 ms. (Envoy: per-host drain on removal;
   * Finagle: closing a service with a deadline.)
   */
  readonly drainMs?: number | undefined;
  /**
   * How long a call waits for a connection in the making while no other is ready; default 1,000 ms. (Envoy: `connect_timeout`
   * is 5 s; gRPC waits as long as the channel is connecting.)
   */
  readonly connectMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Hears of clients that could not be made; default stderr, `false` for silence. */
  readonly logger?: Logger | false | undefined;
}

const DEFAULTS = { drainMs: 5_000, connectMs: 1_000 };

/** The endpoints of `membership`, for as long as it is not closed. It does not close `membership`. */
export function endpoints<C>(
  membership: Live<Membership>,
  connect: Connect<C>,
  options: EndpointerOptions = {},
): Endpointer<C> {
  return new LiveEndpointer(membership, connect, options);
}

class LiveEndpointer<C> implements Endpointer<C> {
  readonly membership: Live<Membership>;
  readonly #endpoints: Cell<readonly ManagedEndpoint<C>[]> = cell<readonly ManagedEndpoint<C>[]>([]);
  #tally = new AvailabilityTally([]);
  readonly #availability = cell<Availability>(this.#tally.availability);
  readonly #connections = new Map<string, ManagedConnection<C>>();
  /** Addresses that the view retains and nobody is at. */
  readonly #gone = new Set<string>();
  #listed: ReadonlyMap<string, ManagedEndpoint<C>> = new Map();
  #reconciling = false;
  readonly #closing = new Set<Promise<void>>();
  readonly #environment: ManagedConnectionEnvironment<C>;
  readonly #drainMs: number;
  readonly #subscription: Disposable;
  #closed: Promise<void> | undefined;

  constructor(membership: Live<Membership>, connect: Connect<C>, options: EndpointerOptions) {
    checkDuration("drainMs", options.drainMs);
    checkDuration("connectMs", options.connectMs);
    this.membership = membership;
    this.#drainMs = options.drainMs ?? DEFAULTS.drainMs;
    this.#environment = {
      connect,
      connectMs: options.connectMs ?? DEFAULTS.connectMs,
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
      logger: resolveLogger(options.logger),
      opened: () => {
        if (!this.#reconciling) this.#publish();
      },
      moved: (address, from, to) => this.#moved(address, from, to),
      unreachable: (managed) => this.#unreachable(managed),
    };
    this.#subscription = membership.subscribe(() => this.#reconcile());
  }

  get current(): readonly Endpoint<C>[] {
    return this.#endpoints.current;
  }

  get availability(): Live<Availability> {
    return this.#availability;
  }

  subscribe(observer: (value: readonly Endpoint<C>[]) => void): Disposable {
    return this.#endpoints.subscribe(observer);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    this.#retire(new Map());
    this.#publish();
    await Promise.all(this.#closing);
  }

  /** Brings the connections in line with the newest view: one for each address that is present, draining ones included. */
  #reconcile(): void {
    const present = this.#present();
    this.#reconciling = true;
    for (const [address, { instance, retained }] of present) {
      const known = this.#connections.get(address);
      if (known !== undefined) known.describe(instance);
      else if (!instance.draining) this.#connections.set(address, new ManagedConnection(instance, this.#environment));
      if (!retained || !this.#connections.get(address)?.failing) continue;
      this.#foundGone(address);
      present.delete(address);
    }
    this.#retire(present);
    this.#reconciling = false;
    this.#publish(present);
  }

  /** Who is in the newest view, without the retained that are known to be gone. */
  #present(): Map<string, Presence> {
    const present = byAddress(this.membership.current);
    for (const address of this.#gone) {
      if (present.get(address)?.retained) present.delete(address);
      else this.#gone.delete(address);
    }
    return present;
  }

  /** A registered instance is kept whatever becomes of its connection; a retained one has nobody else to vouch for it. */
  #unreachable(managed: ManagedConnection<C>): void {
    const { address } = managed;
    if (this.#reconciling || this.#connections.get(address) !== managed || !this.#listed.get(address)?.retained) return;
    this.#foundGone(address);
    this.#reconcile();
  }

  #foundGone(address: string): void {
    this.#gone.add(address);
    this.#environment.logger.info(`${address} is lost to the registry and cannot be reached: it is retained no longer`);
  }

  #retire(present: ReadonlyMap<string, Presence>): void {
    for (const [address, connection] of this.#connections) {
      if (present.has(address)) continue;
      this.#connections.delete(address);
      const closing = connection.close(this.#drainMs).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }

  #publish(present = this.#present()): void {
    const listed = new Map<string, ManagedEndpoint<C>>();
    for (const [address, presence] of present) {
      const managed = this.#connections.get(address);
      if (managed?.connection === undefined || presence.instance.draining) continue;
      const known = this.#listed.get(address);
      const kept = known?.stillIs(managed, presence) ? known : undefined;
      listed.set(address, kept ?? new ManagedEndpoint(managed, managed.connection, presence));
    }
    this.#listed = listed;
    const list = [...listed.values()];
    const renewed = !sameElements(this.#endpoints.current, list);
    this.#tally = new AvailabilityTally(list);
    const { availability } = this.#tally;
    if (renewed) this.#endpoints.set(list);
    if (renewed || !sameAvailability(this.#availability.current, availability)) this.#availability.set(availability);
  }

  /** A state change alone costs the same however many endpoints there are. */
  #moved(address: string, from: EndpointState, to: EndpointState): void {
    const endpoint = this.#listed.get(address);
    if (this.#reconciling || endpoint === undefined) return;
    this.#tally.move(endpoint.retained, from, to);
    this.#availability.set(this.#tally.availability);
  }
}

/** An instance, and whether it is present only as a last resort. */
interface Presence {
  readonly instance: Instance;
  readonly retained: boolean;
}

class ManagedEndpoint<C> implements Endpoint<C> {
  readonly address: string;
  readonly instance: Instance;
  readonly retained: boolean;
  readonly connection: Endpoint<C>["connection"];
  readonly #managed: ManagedConnection<C>;

  constructor(managed: ManagedConnection<C>, connection: Endpoint<C>["connection"], presence: Presence) {
    this.address = managed.address;
    this.instance = presence.instance;
    this.retained = presence.retained;
    this.connection = connection;
    this.#managed = managed;
  }

  get state(): Endpoint<C>["state"] {
    return this.#managed.state;
  }

  begin(): void {
    this.#managed.begin();
  }

  end(outcome?: Outcome): void {
    this.#managed.end(outcome);
  }

  stillIs(managed: ManagedConnection<C>, { instance, retained }: Presence): boolean {
    return this.#managed === managed && this.retained === retained && sameInstance(this.instance, instance);
  }
}

/** One presence for each address. Instances come sorted by id, so the first with an address speaks for it. */
function byAddress(membership: Membership): Map<string, Presence> {
  const present = new Map<string, Presence>();
  if (membership.state === "pending") return present;
  for (const instance of membership.instances) {
    if (!present.has(instance.address)) present.set(instance.address, { instance, retained: false });
  }
  for (const instance of membership.retained) {
    if (!present.has(instance.address)) present.set(instance.address, { instance, retained: true });
  }
  return present;
}

function sameElements<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((element, index) => element === b[index]);
}

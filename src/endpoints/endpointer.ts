/**
 * Turns who is present into what can be called (go-kit's Endpointer).
 *
 * A new view is compared with the old one by address: who stays keeps its connection and its calls, also when its metadata
 * changed; who comes gets a connection in the background; who goes finishes its calls first. Nobody waits for anybody, and
 * those of whom nothing changed are not looked at.
 */
import { type Clock, systemClock } from "../clock.js";
import { checkDuration } from "../deadline-queue.js";
import { type Instance, type Membership, sameInstance } from "../instance.js";
import { refuseUnknownOptions } from "../known-options.js";
import { type Cell, cell, type Live } from "../live.js";
import { type Logger, resolveLogger } from "../logger.js";
import type { Outcome } from "../outcome.js";
import { type Random, systemRandom } from "../random.js";
import { AvailabilityTally, sameAvailability } from "./availability-tally.js";
import {
  type Availability,
  byPlace,
  type Connect,
  type Endpoint,
  type Endpointer,
  type EndpointState,
} from "./endpoint.js";
import { ManagedConnection, type ManagedConnectionEnvironment } from "./managed-connection.js";
import { type Presence, Presences } from "./presences.js";
import { withChanges } from "./sorted-list.js";

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

const KNOWN: Readonly<Record<keyof EndpointerOptions, true>> = {
  drainMs: true,
  connectMs: true,
  clock: true,
  random: true,
  logger: true,
};

/** The endpoints of `membership`, for as long as it is not closed. It does not close `membership`. */
export function endpoints<C>(
  membership: Live<Membership>,
  connect: Connect<C>,
  options: EndpointerOptions = {},
): Endpointer<C> {
  refuseUnknownOptions("endpoints()", options, KNOWN);
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
  readonly #presences = new Presences();
  /** The endpoints of the current set, by address. */
  readonly #listed = new Map<string, ManagedEndpoint<C>>();
  #settling = false;
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
      opened: (address) => {
        if (!this.#settling) this.#publish([address]);
      },
      moved: (address, from, to) => this.#moved(address, from, to),
      unreachable: (managed) => this.#unreachable(managed),
    };
    this.#subscription = membership.subscribe((view) => this.#settle(this.#presences.update(view)));
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
    const addresses = [...this.#connections.keys()];
    for (const address of addresses) this.#retire(address);
    this.#publish(addresses);
    await Promise.all(this.#closing);
  }

  /** Brings the connections to `addresses`, and what is told of them, in line with who is present. */
  #settle(addresses: Iterable<string>): void {
    this.#settling = true;
    for (const address of addresses) this.#attend(address);
    this.#settling = false;
    this.#publish(addresses);
  }

  /** One connection for each address that is present; a draining one keeps what it has. */
  #attend(address: string): void {
    if (!this.#presences.at(address)?.retained) this.#gone.delete(address);
    const presence = this.#present(address);
    if (presence === undefined) {
      this.#retire(address);
      return;
    }
    const { instance, retained } = presence;
    const known = this.#connections.get(address);
    if (known !== undefined) known.describe(instance);
    else if (!instance.draining) this.#connections.set(address, new ManagedConnection(instance, this.#environment));
    if (!retained || !this.#connections.get(address)?.failing) return;
    this.#foundGone(address);
    this.#retire(address);
  }

  /** Who is at `address`, unless it is retained and known to be gone. */
  #present(address: string): Presence | undefined {
    return this.#gone.has(address) ? undefined : this.#presences.at(address);
  }

  /** A registered instance is kept whatever becomes of its connection; a retained one has nobody else to vouch for it. */
  #unreachable(managed: ManagedConnection<C>): void {
    const { address } = managed;
    if (this.#settling || this.#connections.get(address) !== managed || !this.#present(address)?.retained) return;
    this.#foundGone(address);
    this.#settle([address]);
  }

  #foundGone(address: string): void {
    this.#gone.add(address);
    this.#environment.logger.info(`${address} is lost to the registry and cannot be reached: it is retained no longer`);
  }

  #retire(address: string): void {
    const connection = this.#connections.get(address);
    if (connection === undefined) return;
    this.#connections.delete(address);
    const closing = connection.close(this.#drainMs).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Tells the new set if it is another at `addresses`. */
  #publish(addresses: Iterable<string>): void {
    const left: ManagedEndpoint<C>[] = [];
    const came: ManagedEndpoint<C>[] = [];
    for (const address of addresses) {
      const before = this.#listed.get(address);
      const after = this.#endpointAt(address, before);
      if (after === before) continue;
      if (before !== undefined) left.push(before);
      if (after === undefined) {
        this.#listed.delete(address);
      } else {
        this.#listed.set(address, after);
        came.push(after);
      }
    }
    const renewed = left.length > 0 || came.length > 0;
    if (renewed) {
      const list = withChanges(this.#endpoints.current, left, came, byPlace);
      this.#tally = new AvailabilityTally(list);
      this.#endpoints.set(list);
    }
    const { availability } = this.#tally;
    if (renewed || !sameAvailability(this.#availability.current, availability)) this.#availability.set(availability);
  }

  /** What is listed for `address`: `known` as long as it says the same. */
  #endpointAt(address: string, known: ManagedEndpoint<C> | undefined): ManagedEndpoint<C> | undefined {
    const presence = this.#present(address);
    const managed = this.#connections.get(address);
    if (presence === undefined || managed?.connection === undefined || presence.instance.draining) return undefined;
    return known?.stillIs(managed, presence) ? known : new ManagedEndpoint(managed, managed.connection, presence);
  }

  /** A state change alone costs the same however many endpoints there are. */
  #moved(address: string, from: EndpointState, to: EndpointState): void {
    const endpoint = this.#listed.get(address);
    if (endpoint === undefined) return;
    this.#tally.move(endpoint.retained, from, to);
    if (!this.#settling) this.#availability.set(this.#tally.availability);
  }
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

  get pending(): number {
    return this.#managed.calls;
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

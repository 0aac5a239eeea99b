/** Connections whose states a test sets by hand, and which remember what was asked of them. */
import type { Connection, ConnectionStatus } from "../endpoints/endpoint.js";
import type { Instance } from "../instance.js";
import { type Cell, cell } from "../live.js";
import type { Outcome } from "../outcome.js";

export interface ManualConnection<C> extends Connection<C> {
  readonly instance: Instance;
  readonly status: Cell<ConnectionStatus>;
  /** How often `connect()` was called. */
  readonly connects: number;
  readonly closed: boolean;
  /** The silences that `suspect()` was told of, in milliseconds. */
  readonly suspicions: readonly number[];
}

export interface ManualConnections<C> {
  /** To give to `endpoints`, as its `Connect`. */
  readonly connect: (instance: Instance) => ManualConnection<C>;
  /** Every connection that was made, oldest first. */
  readonly made: readonly ManualConnection<C>[];
  /** The newest connection to `address`. */
  to(address: string): ManualConnection<C>;
}

export interface ManualConnectionsOptions {
  /** What a new connection starts with; default `ready`. */
  readonly initially?: ConnectionStatus;
  /** What an error of the connections' clients means; default: the balancer's own judgement, by the error's system code. */
  readonly outcomeOf?: (error: unknown) => Outcome;
}

export function manualConnections<C>(
  clientFor: (address: string) => C,
  { initially = "ready", outcomeOf }: ManualConnectionsOptions = {},
): ManualConnections<C> {
  const made: ManualConnection<C>[] = [];
  return {
    made,
    connect(instance) {
      const connection = makeConnection(instance, clientFor(instance.address), initially, outcomeOf);
      made.push(connection);
      return connection;
    },
    to(address) {
      const found = made.findLast((connection) => connection.instance.address === address);
      if (found === undefined) throw new Error(`nothing has connected to ${address}`);
      return found;
    },
  };
}

function makeConnection<C>(
  instance: Instance,
  client: C,
  initially: ConnectionStatus,
  outcomeOf: ((error: unknown) => Outcome) | undefined,
): ManualConnection<C> {
  let connects = 0;
  let closed = false;
  const suspicions: number[] = [];
  return {
    instance,
    client,
    status: cell<ConnectionStatus>(initially),
    suspicions,
    get connects() {
      return connects;
    },
    get closed() {
      return closed;
    },
    connect() {
      connects += 1;
    },
    suspect: (silentMs) => void suspicions.push(silentMs),
    ...(outcomeOf && { outcomeOf }),
    async [Symbol.asyncDispose]() {
      closed = true;
    },
  };
}

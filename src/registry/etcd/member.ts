/** One member of the cluster and its connections. */
import { Connection, type ConnectionSettings } from "./connection.js";
import type { EtcdError } from "./etcd-error.js";

/**
 * Streams have a connection of their own: a bulk Range that shares it can starve them, for minutes and with events lost on
 * some versions of etcd (etcd issues 15402 and 17529).
 */
export type Purpose = "unary" | "streams";

export class Member {
  /** `host:port`. */
  readonly target: string;
  readonly #settings: ConnectionSettings;
  /** The one in use of each purpose, and those that are retired and still have calls. */
  readonly #current = new Map<Purpose, Connection>();
  readonly #open = new Set<Connection>();

  constructor(target: string, settings: ConnectionSettings) {
    this.target = target;
    this.#settings = settings;
  }

  /** The connection in use, or a new one that is being dialled. */
  connection(purpose: Purpose): Connection {
    const current = this.#current.get(purpose);
    if (current?.usable) return current;
    const connection = new Connection(this.target, this.#settings, () => this.#open.delete(connection));
    this.#open.add(connection);
    this.#current.set(purpose, connection);
    return connection;
  }

  /** Calls that follow get a new connection, unless this one is still being dialled. */
  distrust(purpose: Purpose): void {
    const current = this.#current.get(purpose);
    if (current?.state === "ready") current.retire();
  }

  /** Ends every call with `error`. */
  close(error: EtcdError): void {
    for (const connection of [...this.#open]) connection.fail(error);
  }
}

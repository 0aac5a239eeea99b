/**
 * One member of the cluster and its connections.
 *
 * Why the pause between dials is here: four hundred registrations and watches of one process try again at times of their
 * own while etcd is down, and each try would be a dial. So a dial that failed answers for the next ones as well, until the
 * member's pause is over.
 */
import { fullJitter } from "../../../backoff.js";
import type { Random } from "../../../random.js";
import { Connection, type ConnectionSettings } from "./connection.js";
import { type EtcdError, movedError } from "./etcd-error.js";

/**
 * Streams have a connection of their own: a bulk Range that shares it can starve them, for minutes and with events lost on
 * some versions of etcd (etcd issues 15402 and 17529).
 */
export type Purpose = "unary" | "streams";

/** The first is short, for a member that restarts; with the longest, a member that is back is found within a second. */
const PAUSE = { baseMs: 100, maxMs: 1_000 };

export class Member {
  /** `host:port`. */
  readonly target: string;
  readonly #settings: ConnectionSettings;
  readonly #random: Random;
  /** The one in use of each purpose, and those that are retired and still have calls. */
  readonly #current = new Map<Purpose, Connection>();
  readonly #open = new Set<Connection>();
  /** Those whose replacement is being dialled. */
  readonly #renewing = new Set<Connection>();
  /** The last dial, if it failed, and until when it stands for the next. */
  #failed: { readonly connection: Connection; readonly untilMs: number } | undefined;
  #failedDials = 0;

  constructor(target: string, settings: ConnectionSettings, random: Random) {
    this.target = target;
    this.#settings = settings;
    this.#random = random;
  }

  /** The connection in use, or a new one that is being dialled, or one whose dial has just failed. */
  connection(purpose: Purpose): Connection {
    const current = this.#current.get(purpose);
    if (current?.usable) return current;
    if (this.#failed && this.#settings.clock.nowMs() < this.#failed.untilMs) return this.#failed.connection;
    const connection = this.#dial();
    this.#current.set(purpose, connection);
    connection.ready.then(
      () => this.#dialled(),
      () => this.#dialFailed(connection),
    );
    return connection;
  }

  /** Calls that follow get a new connection, unless this one is still being dialled. */
  distrust(purpose: Purpose): void {
    const current = this.#current.get(purpose);
    if (current?.state === "ready") current.retire();
  }

  /**
   * Replaces connections that were made with older certificates, each when the new one stands. `onRefused` is told of one that
   * cannot be made while the old one lives.
   */
  renew(version: number, onRefused: (error: unknown) => void): void {
    for (const old of [...this.#open]) {
      if (!isStanding(old) || old.securityVersion >= version || this.#renewing.has(old)) continue;
      const [purpose] = [...this.#current].find(([, current]) => current === old) ?? [];
      // One that was retired and still has streams leaves them to whatever took its place.
      const successor = purpose ? this.#dial() : this.connection("streams");
      if (successor.securityVersion < version) continue;
      this.#renewing.add(old);
      successor.ready
        .then(() => {
          // Whatever broke the old one meanwhile was answered with a newer one already.
          if (purpose && this.#current.get(purpose) !== old) successor.retire();
          else if (purpose) this.#current.set(purpose, successor);
          old.leave(movedError(this.target));
        })
        .catch((error: unknown) => {
          if (isStanding(old)) onRefused(error);
        })
        .finally(() => this.#renewing.delete(old));
    }
  }

  #dial(): Connection {
    const connection = new Connection(this.target, this.#settings, () => this.#open.delete(connection));
    this.#open.add(connection);
    return connection;
  }

  #dialled(): void {
    this.#failedDials = 0;
    this.#failed = undefined;
  }

  #dialFailed(connection: Connection): void {
    this.#failedDials += 1;
    const pauseMs = fullJitter(PAUSE, this.#failedDials, this.#random);
    this.#failed = { connection, untilMs: this.#settings.clock.nowMs() + pauseMs };
  }

  /** Ends every call with `error`. */
  close(error: EtcdError): void {
    for (const connection of [...this.#open]) connection.fail(error);
  }
}

function isStanding({ state }: Connection): boolean {
  return state === "ready" || state === "retired";
}

/**
 * One address's connection, from the moment the address appears until the last call on it has ended.
 *
 * Connecting starts at once and in the background. A factory that throws, or a connection that goes idle, is tried again
 * later and holds nobody up meanwhile.
 */
import { fullJitter } from "../backoff.js";
import type { Clock, Timer } from "../clock.js";
import { toError } from "../errors.js";
import type { Instance } from "../instance.js";
import type { Logger } from "../logger.js";
import type { Outcome } from "../outcome.js";
import type { Random } from "../random.js";
import type { Connect, Connection, ConnectionStatus, EndpointState } from "./endpoint.js";

export interface ManagedConnectionEnvironment<C> {
  readonly connect: Connect<C>;
  readonly connectMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Told as soon as there is a connection: within the constructor, or later when the factory failed at first. */
  readonly opened: (address: string) => void;
  /** Told of each change of state after that. */
  readonly moved: (address: string, from: EndpointState, to: EndpointState) => void;
  /** Told whenever the connection or a call finds nobody there. */
  readonly unreachable: (managed: ManagedConnection<C>) => void;
}

const RETRY = { baseMs: 200, maxMs: 10_000 };
/** The least time between two requests to connect: a server that accepts and hangs up is not hammered. */
const RECONNECT_MS = 1_000;

export class ManagedConnection<C> {
  readonly address: string;
  readonly #environment: ManagedConnectionEnvironment<C>;
  #instance: Instance;
  #connection: Connection<C> | undefined;
  #state: EndpointState = "connecting";
  #opened = false;
  #statusSubscription: Disposable | undefined;
  #patience: Timer | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #lastConnectMs = Number.NEGATIVE_INFINITY;
  #calls = 0;
  #lastCallEnded: (() => void) | undefined;

  constructor(instance: Instance, environment: ManagedConnectionEnvironment<C>) {
    this.address = instance.address;
    this.#instance = instance;
    this.#environment = environment;
    this.#open();
  }

  /** Absent until the factory has succeeded. */
  get connection(): Connection<C> | undefined {
    return this.#connection;
  }

  get state(): EndpointState {
    return this.#state;
  }

  /** Whether the last try to connect has failed. */
  get failing(): boolean {
    return this.#connection?.status?.current === "failing";
  }

  /** Calls in progress. */
  get calls(): number {
    return this.#calls;
  }

  /** What the next attempt of a failing factory is given. */
  describe(instance: Instance): void {
    this.#instance = instance;
  }

  begin(): void {
    this.#calls += 1;
  }

  end(outcome: Outcome | undefined): void {
    this.#calls -= 1;
    if (this.#calls === 0) this.#lastCallEnded?.();
    if (outcome !== undefined && foundNobody(outcome)) this.#environment.unreachable(this);
  }

  /** Lets the calls in progress end, for `drainMs` at most, then closes the connection. Never rejects. */
  async close(drainMs: number): Promise<void> {
    this.#patience?.cancel();
    this.#retry?.cancel();
    this.#statusSubscription?.[Symbol.dispose]();
    if (this.#calls > 0) await this.#drained(drainMs);
    try {
      await this.#connection?.[Symbol.asyncDispose]?.();
    } catch (error) {
      this.#environment.logger.warn(`closing the connection to ${this.address} failed: ${toError(error).message}`);
    }
  }

  #drained(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#environment.clock.after(drainMs, resolve);
      this.#lastCallEnded = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #open(): void {
    const { connect, clock, random, logger, opened } = this.#environment;
    try {
      this.#connection = connect(this.#instance);
    } catch (error) {
      this.#failures += 1;
      const delayMs = fullJitter(RETRY, this.#failures, random);
      if (this.#failures === 1) {
        logger.warn(`cannot make a client for ${this.address}, trying on: ${toError(error).message}`);
      }
      this.#retry = clock.after(delayMs, () => this.#open());
      return;
    }
    const { status } = this.#connection;
    if (status === undefined) {
      this.#startConnecting();
      this.#state = "ready";
    } else {
      this.#waitForReady();
      this.#statusSubscription = status.subscribe((now) => this.#follow(now));
    }
    this.#opened = true;
    opened(this.address);
  }

  #follow(status: ConnectionStatus): void {
    if (status === "ready") {
      this.#patience?.cancel();
      this.#become("ready");
    } else if (status === "failing") {
      this.#patience?.cancel();
      this.#become("unready");
      this.#environment.unreachable(this);
    } else {
      if (this.#state === "ready") this.#waitForReady();
      if (status === "idle") this.#reconnect();
    }
  }

  /** From here on it is worth waiting for, but not for long. */
  #waitForReady(): void {
    const { clock, connectMs } = this.#environment;
    this.#patience = clock.after(connectMs, () => this.#become("unready"));
    this.#become("connecting");
  }

  #reconnect(): void {
    const { clock, random } = this.#environment;
    const restMs = this.#lastConnectMs + RECONNECT_MS - clock.nowMs();
    this.#retry?.cancel();
    if (restMs <= 0) this.#startConnecting();
    else this.#retry = clock.after(restMs + random() * RECONNECT_MS, () => this.#startConnecting());
  }

  #startConnecting(): void {
    this.#lastConnectMs = this.#environment.clock.nowMs();
    try {
      this.#connection?.connect?.();
    } catch (error) {
      this.#environment.logger.warn(`connecting to ${this.address} failed: ${toError(error).message}`);
    }
  }

  #become(state: EndpointState): void {
    const before = this.#state;
    this.#state = state;
    if (this.#opened && before !== state) this.#environment.moved(this.address, before, state);
  }
}

/** Whether a call shows that nobody takes calls at its address. A slow connection does not, nor does a server with too much to do. */
function foundNobody({ kind, reached, fault, code }: Outcome): boolean {
  return kind === "failed" && reached !== "maybe-seen" && fault === "server" && code !== "DEADLINE_EXCEEDED";
}

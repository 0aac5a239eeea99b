/**
 * A registration as its owner holds it: registered once it is returned, updated in place, withdrawn when closed. The work is
 * the runner's; here are its promises, its status, and the lines that an operator reads.
 */
import type { Timer } from "../../../clock.js";
import { RollcallError } from "../../../errors.js";
import type { Instance, NewInstance } from "../../../instance.js";
import { type Cell, cell } from "../../../live.js";
import type { Logger } from "../../../logger.js";
import { publishRegistration } from "../../../observe/events.js";
import { checkNewInstance } from "../../announcement.js";
import type { Registration, RegistrationStatus } from "../../registry.js";
import { type State, statusOf } from "./registration-machine.js";
import { reportStatus, sameStatus } from "./registration-report.js";
import { type RegistrationEnvironment, RegistrationRunner } from "./registration-runner.js";

// Long enough for an election, which takes up to two seconds at etcd's defaults, and a try after it.
const CLOSE_TIMEOUT_MS = 3_000;
// What of a first registration's time is kept back to undo it.
const UNDO_MS = 500;

interface Waiter {
  /** Satisfied when this version, or a later one, is written. */
  readonly version: number;
  resolve(): void;
  reject(reason: unknown): void;
}

export class EtcdRegistration implements Registration {
  readonly service: string;
  readonly #environment: RegistrationEnvironment & { readonly logger: Logger };
  readonly #status: Cell<RegistrationStatus> = cell({ state: "lost", reason: "it is being registered" }, sameStatus);
  readonly #runner: RegistrationRunner;
  readonly #waiting = new Set<Waiter>();
  readonly #onClosed: () => void;
  #wasRegistered = false;
  #cautioned = false;
  #lastError: Error | undefined;
  #closing: Promise<void> | undefined;
  #closed = () => {};

  /** Throws `INVALID_ARGUMENT` for an instance that cannot be announced. */
  constructor(
    environment: RegistrationEnvironment & { readonly logger: Logger },
    service: string,
    instance: NewInstance,
    onClosed: () => void,
  ) {
    this.service = service;
    this.#onClosed = onClosed;
    this.#environment = environment;
    this.#check(instance);
    this.#runner = new RegistrationRunner(environment, service, instance, {
      onState: (state) => this.#show(state),
      onWritten: (version) => this.#written(version),
      onFailure: (error, passing) => this.#failed(error, passing),
      onMoveRefused: (error) => this.#moveRefused(error),
      onBlind: (error) => this.#blind(error),
    });
  }

  get current(): RegistrationStatus {
    return this.#status.current;
  }

  subscribe(observer: (status: RegistrationStatus) => void): Disposable {
    return this.#status.subscribe(observer);
  }

  get instance(): Instance {
    return { id: this.#runner.id, ...this.#runner.wanted };
  }

  get lease(): NonNullable<Registration["lease"]> {
    return this.#runner.lease;
  }

  /** Registers for the first time; rejects, with everything undone, when that fails for good or takes too long. */
  async start({ signal, timeoutMs }: { readonly signal?: AbortSignal; readonly timeoutMs: number }): Promise<void> {
    let timer: Timer | undefined;
    try {
      signal?.throwIfAborted();
      const written = this.#whenWritten(0, signal);
      const triesMs = Math.max(timeoutMs - UNDO_MS, timeoutMs / 2);
      if (Number.isFinite(triesMs)) {
        timer = this.#environment.clock.after(triesMs, () => this.#giveUp(this.#tookTooLong(timeoutMs)), {
          hold: true,
        });
      }
      this.#runner.start(triesMs);
      await written;
    } catch (error) {
      await this.close({ timeoutMs: Math.min(UNDO_MS, timeoutMs / 2) });
      throw error;
    } finally {
      timer?.cancel();
    }
  }

  /**
   * While the key is not ours the change waits for the next claim, and stays wanted even when `signal` aborts. Rejects when
   * etcd refuses it; what was written before then stays.
   */
  async update(
    change: Omit<NewInstance, "address">,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closing) throw this.#closedError();
    const instance = { ...change, address: this.#runner.wanted.address };
    this.#check(instance);
    await this.#whenWritten(this.#runner.want(instance), signal);
  }

  close({ timeoutMs = CLOSE_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#closed = resolve;
      this.#runner.close(timeoutMs);
      this.#giveUp(this.#closedError());
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(instance: NewInstance): void {
    const { layout, logger } = this.#environment;
    checkNewInstance(instance);
    layout.encode(this.service, instance, 1n);
    const caution = this.#cautioned ? undefined : layout.caution?.(instance);
    if (caution === undefined) return;
    this.#cautioned = true;
    logger.warn(`${this.service} ${instance.address} ${caution}`);
  }

  #whenWritten(version: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => settle(() => reject(signal?.reason));
      const settle = (finish: () => void) => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener("abort", onAbort);
        finish();
      };
      const waiter: Waiter = {
        version,
        resolve: () => settle(resolve),
        reject: (reason) => settle(() => reject(reason)),
      };
      this.#waiting.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #written(version: number): void {
    for (const waiter of [...this.#waiting]) {
      if (waiter.version <= version) waiter.resolve();
    }
  }

  #giveUp(error: Error): void {
    for (const waiter of [...this.#waiting]) waiter.reject(error);
  }

  /** What fails for good is told to whoever waits: of the first registration, or of an update. The rest is tried again. */
  #failed(error: Error, passing: boolean): void {
    if (!passing) this.#giveUp(error);
    else if (!this.#lastError && !this.#wasRegistered && !this.#closing) {
      const name = `${this.service} ${this.#runner.wanted.address}`;
      this.#environment.logger.warn(`${name} is not registered yet: ${error.message}; trying again`);
    }
    this.#lastError = error;
  }

  #moveRefused(error: Error): void {
    const name = `${this.service} ${this.#runner.wanted.address}`;
    const what = "cannot be moved to a fresh lease after an election and stays on the one that it has";
    this.#environment.logger.warn(`${name} ${what}: ${error.message}; trying again`);
  }

  #blind(error: Error): void {
    const name = `${this.service} ${this.#runner.wanted.address}`;
    this.#environment.logger.warn(`${name} cannot be watched over, a deletion would go unseen: ${error.message}`);
  }

  #show(state: State): void {
    const before = this.#wasRegistered ? this.#status.current : undefined;
    this.#wasRegistered ||= state.name === "registered";
    const status = statusOf(state);
    if (this.#wasRegistered && !(before && sameStatus(before, status))) {
      reportStatus(this.#environment.logger, `${this.service} ${this.#runner.wanted.address}`, before, status);
      publishRegistration({ service: this.service, id: this.#runner.id, status });
      this.#status.set(status);
    }
    if (state.name === "revoked") {
      this.#onClosed();
      this.#closed();
    }
  }

  #tookTooLong(timeoutMs: number): RollcallError {
    const why = this.#lastError?.message ?? "etcd did not answer";
    const message = `${this.service} ${this.#runner.wanted.address} was not registered within ${timeoutMs} ms: ${why}`;
    return new RollcallError("REGISTRY_UNAVAILABLE", message, { cause: this.#lastError });
  }

  #closedError(): RollcallError {
    return new RollcallError("CLOSED", `the registration of ${this.service} ${this.#runner.wanted.address} is closed`);
  }
}

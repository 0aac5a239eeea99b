/**
 * A registry within one process: servers and clients that share the object find each other, with the rules of etcd's but
 * without a network. For tests, and for programs that hold all their services in one process.
 */
import { systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import { byId, type Instance, type Membership, type NewInstance } from "../instance.js";
import { type Cell, cell } from "../live.js";
import { publishRegistration } from "../observe/events.js";
import { checkNewInstance, checkService } from "./announcement.js";
import type { Instancer, Registration, RegistrationStatus, Registry } from "./registry.js";

type LiveMembership = Extract<Membership, { readonly state: "live" }>;

/** Each change of what is registered is a revision; every view is published in the same turn. */
export function memory(): Registry {
  const rolls = new Map<string, Roll>();
  const owned = new Set<AsyncDisposable>();
  let revision = 0n;
  let closing: Promise<void> | undefined;

  const roll = (service: string) => {
    if (closing) throw closedError();
    checkService(service);
    let found = rolls.get(service);
    if (!found) {
      found = new Roll(service, () => {
        revision += 1n;
        return revision;
      });
      rolls.set(service, found);
    }
    return found;
  };
  const close = () => {
    if (!closing) for (const each of rolls.values()) each.end(closedError());
    closing ??= Promise.all([...owned].map((each) => each[Symbol.asyncDispose]())).then(() => {});
    return closing;
  };
  return {
    async register(service, instance, { signal } = {}) {
      signal?.throwIfAborted();
      checkNewInstance(instance);
      const registration = roll(service).register(instance, () => owned.delete(registration));
      owned.add(registration);
      return registration;
    },
    instancer(service) {
      const instancer: Instancer = roll(service).instancer(revision, () => owned.delete(instancer));
      owned.add(instancer);
      return instancer;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Who is registered for one service. Of several registrations of one key the newest owns it; the others wait behind it. */
class Roll {
  readonly #service: string;
  readonly #nextRevision: () => bigint;
  readonly #registrations = new Map<string, MemoryRegistration[]>();
  readonly #views = new Set<Cell<Membership>>();

  constructor(service: string, nextRevision: () => bigint) {
    this.#service = service;
    this.#nextRevision = nextRevision;
  }

  register(instance: NewInstance, onClose: () => void): MemoryRegistration {
    const id = `/services/${this.#service}/${instance.address}`;
    const registration = new MemoryRegistration(
      this.#service,
      { ...instance, id },
      {
        onUpdate: () => this.#publish(),
        onClose: () => {
          onClose();
          const others = this.#owners(id).filter((other) => other !== registration);
          if (others.length > 0) this.#registrations.set(id, others);
          else this.#registrations.delete(id);
          this.#settle(id);
        },
      },
    );
    this.#registrations.set(id, [...this.#owners(id), registration]);
    this.#settle(id);
    return registration;
  }

  instancer(revision: bigint, onClose: () => void): Instancer {
    const view = cell<Membership>(this.#membership(revision));
    this.#views.add(view);
    const subscriptions = new Set<Disposable>();
    const close = async () => {
      this.#views.delete(view);
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      onClose();
    };
    return {
      service: this.#service,
      skipped: new Map(),
      get current() {
        return view.current;
      },
      subscribe(observer) {
        const subscription = view.subscribe(observer);
        subscriptions.add(subscription);
        return {
          [Symbol.dispose]: () => {
            subscriptions.delete(subscription);
            subscription[Symbol.dispose]();
          },
        };
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  /** Shows every reader its last view, which nothing keeps true any more. */
  end(error: Error): void {
    const sinceEpochMs = systemClock.epochMs();
    const views = [...this.#views];
    this.#views.clear();
    for (const view of views) {
      if (view.current.state === "live") view.set({ ...view.current, state: "stale", error, sinceEpochMs });
    }
  }

  #owners(id: string): readonly MemoryRegistration[] {
    return this.#registrations.get(id) ?? [];
  }

  /** Tells the registrations of one key which of them owns it, and the readers what they see now. */
  #settle(id: string): void {
    this.#publish();
    const owners = this.#owners(id);
    for (const registration of owners) registration.settle(registration === owners.at(-1));
  }

  #publish(): void {
    const membership = this.#membership(this.#nextRevision());
    for (const view of [...this.#views]) view.set(membership);
  }

  #membership(revision: bigint): LiveMembership {
    const instances: Instance[] = [...this.#registrations.values()].flatMap((owners) => {
      const owner = owners.at(-1);
      return owner ? [owner.instance] : [];
    });
    return { state: "live", instances: instances.sort(byId), retained: [], revision, epoch: 0 };
  }
}

function closedError(): RollcallError {
  return new RollcallError("CLOSED", "the registry is closed");
}

class MemoryRegistration implements Registration {
  readonly service: string;
  readonly #status = cell<RegistrationStatus>({ state: "lost" });
  readonly #on: { onUpdate(): void; onClose(): void };
  #instance: Instance;

  constructor(service: string, instance: Instance, on: { onUpdate(): void; onClose(): void }) {
    this.service = service;
    this.#instance = instance;
    this.#on = on;
  }

  get instance(): Instance {
    return this.#instance;
  }

  get current(): RegistrationStatus {
    return this.#status.current;
  }

  subscribe(observer: (status: RegistrationStatus) => void): Disposable {
    return this.#status.subscribe(observer);
  }

  settle(owns: boolean): void {
    const by = "a later registration in this process";
    this.#show(owns ? { state: "registered" } : { state: "superseded", reason: `its key is owned by ${by}`, by });
  }

  async update(change: Omit<NewInstance, "address">, { signal }: { readonly signal?: AbortSignal } = {}) {
    signal?.throwIfAborted();
    if (this.current.state === "closed") throw new RollcallError("CLOSED", "the registration is closed");
    const { id, address } = this.#instance;
    const instance = { ...change, id, address };
    checkNewInstance(instance);
    this.#instance = instance;
    this.#on.onUpdate();
  }

  async close(): Promise<void> {
    if (this.current.state === "closed") return;
    this.#show({ state: "closed" });
    this.#on.onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #show(status: RegistrationStatus): void {
    if (status.state === this.current.state) return;
    publishRegistration({ service: this.service, id: this.#instance.id, status });
    this.#status.set(status);
  }
}

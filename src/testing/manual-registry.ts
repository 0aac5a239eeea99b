/** A registry whose views a test sets by hand. */
import { RollcallError } from "../errors.js";
import { byId, type Instance, type Membership } from "../instance.js";
import { cell, type Live } from "../live.js";
import type { Registry } from "../registry/registry.js";

export interface ManualMembership extends Live<Membership> {
  /** Goes live with these instances at the next revision; a string is an address, and its own id. */
  live(...instances: readonly (string | Instance)[]): void;
  /** Keeps the instances and says that the registry cannot be heard. */
  stale(error?: Error): void;
  /** Publishes any membership as it is. */
  set(membership: Membership): void;
}

/** Starts pending. */
export function manualMembership(): ManualMembership {
  const membership = cell<Membership>({ state: "pending" });
  let revision = 0n;
  return {
    get current() {
      return membership.current;
    },
    subscribe: (observer) => membership.subscribe(observer),
    set: (value) => membership.set(value),
    live(...instances) {
      revision += 1n;
      const sorted = instances.map(instanceAt).sort(byId);
      membership.set({ state: "live", instances: sorted, retained: [], revision, epoch: 1 });
    },
    stale(error = new Error("the registry is down")) {
      const last = membership.current;
      const { instances, retained } = last.state === "pending" ? { instances: [], retained: [] } : last;
      membership.set({ state: "stale", instances, retained, revision, epoch: 1, error, sinceEpochMs: 0 });
    },
  };
}

export interface ManualRegistry extends Registry {
  /** What the handles of `service` show. */
  membership(service: string): ManualMembership;
  /** How many handles have not been closed. */
  readonly openHandles: number;
}

/** Takes no registrations: its views are what the test says. */
export function manualRegistry(): ManualRegistry {
  const services = new Map<string, ManualMembership>();
  let openHandles = 0;

  const membership = (service: string): ManualMembership => {
    const known = services.get(service) ?? manualMembership();
    services.set(service, known);
    return known;
  };

  return {
    membership,
    get openHandles() {
      return openHandles;
    },
    async register() {
      throw new RollcallError("INVALID_ARGUMENT", "a manual registry is set by hand: use membership(service).live(…)");
    },
    instancer(service) {
      const view = membership(service);
      let open = true;
      openHandles += 1;
      const close = async () => {
        if (open) openHandles -= 1;
        open = false;
      };
      return {
        service,
        skipped: new Map(),
        get current() {
          return view.current;
        },
        subscribe: (observer) => view.subscribe(observer),
        close,
        [Symbol.asyncDispose]: close,
      };
    },
    async close() {},
    async [Symbol.asyncDispose]() {},
  };
}

function instanceAt(at: string | Instance): Instance {
  return typeof at === "string" ? { id: at, address: at } : at;
}

/** A registry that never changes: for tests, for documentation, and for programs whose peers stand in a configuration file. */
import { RollcallError } from "../errors.js";
import { byId, type Instance, type Membership, type NewInstance } from "../instance.js";
import { cell } from "../live.js";
import { checkNewInstance, checkService } from "./announcement.js";
import type { Registry } from "./registry.js";

/**
 * What is given per service is there from the start, at revision 0; a plain string is an address. A service that is not
 * named is live and empty. `register()` is refused.
 */
export function fixed(services: Readonly<Record<string, readonly (string | NewInstance)[]>>): Registry {
  const memberships = new Map(
    Object.entries(services).map(([service, instances]) => [service, membershipOf(service, instances)] as const),
  );
  let closed = false;
  const close = async () => {
    closed = true;
  };
  return {
    async register(service) {
      throw new RollcallError(
        "INVALID_ARGUMENT",
        `a fixed registry takes no registrations: give "${service}" its instances when it is made, or use memory()`,
      );
    },
    instancer(service) {
      if (closed) throw new RollcallError("CLOSED", "the registry is closed");
      checkService(service);
      const live = cell(memberships.get(service) ?? membershipOf(service, []));
      const end = async () => {};
      return {
        service,
        skipped: new Map(),
        current: live.current,
        subscribe: (observer) => live.subscribe(observer),
        close: end,
        [Symbol.asyncDispose]: end,
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function membershipOf(service: string, instances: readonly (string | NewInstance)[]): Membership {
  checkService(service);
  // Of one address written twice, the last counts: an instance is its key.
  const byKey = new Map<string, Instance>();
  for (const each of instances) {
    const instance = typeof each === "string" ? { address: each } : each;
    checkNewInstance(instance);
    const id = `/services/${service}/${instance.address}`;
    byKey.set(id, { id, ...instance });
  }
  return { state: "live", instances: [...byKey.values()].sort(byId), retained: [], revision: 0n, epoch: 0 };
}

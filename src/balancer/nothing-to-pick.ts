import { RollcallError } from "../errors.js";
import type { Membership } from "../instance.js";

/** Why a service has no endpoint to offer, so that an operator knows where to look first. */
export function nothingToPick(membership: Membership, cause?: unknown): RollcallError {
  if (membership.state === "pending") {
    return new RollcallError("REGISTRY_UNAVAILABLE", "the registry has not answered yet, so no instance is known", {
      cause,
    });
  }
  if (membership.instances.length + membership.retained.length > 0) {
    return new RollcallError("NO_USABLE_INSTANCES", "every known instance is draining or still has no connection", {
      cause,
    });
  }
  if (membership.state === "stale") {
    const reason = `the registry cannot be heard (${membership.error.message}) and knew no instance before`;
    return new RollcallError("REGISTRY_UNAVAILABLE", reason, { cause: cause ?? membership.error });
  }
  return new RollcallError(
    "NO_INSTANCES",
    "the registry holds no instance of the service: is a server registered under this name?",
    { cause },
  );
}

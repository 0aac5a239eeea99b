/** Why a service has no endpoint to offer, so that an operator knows where to look first. */
import { RollcallError } from "../../errors.js";
import type { Instance, Membership } from "../../instance.js";

/** How many instances a message names. */
const NAMED = 3;
const NOBODY = { instances: [], retained: [] };

/** `cause` is what the call, or its last attempt, ran into. */
export function nothingToPick(membership: Membership, service: string | undefined, cause?: unknown): RollcallError {
  const name = service === undefined ? "the service" : `"${service}"`;
  const { instances, retained } = membership.state === "pending" ? NOBODY : membership;
  if (instances.length > 0) {
    const failed = cause instanceof Error && !(cause instanceof RollcallError);
    const lastTry = failed ? `; the last attempt failed with: ${cause.message}` : "";
    const reason = `no instance of ${name} can take a call: ${conditionOf(instances)}${lastTry}`;
    return new RollcallError("NO_USABLE_INSTANCES", reason, { cause });
  }
  if (membership.state === "live") {
    const hint =
      retained.length === 0
        ? "is a server registered under this name?"
        : `it lost ${retained.length} at once, and none of them can be reached`;
    return new RollcallError("NO_INSTANCES", `the registry holds no instance of ${name}: ${hint}`, { cause });
  }
  const { error } = membership;
  if (noneWillCome(membership)) {
    return new RollcallError("CLOSED", `the registry is closed, and no instance of ${name} was known`, {
      cause: error,
    });
  }
  const why = error === undefined ? "" : `: ${error.message}`;
  const reason =
    membership.state === "pending"
      ? `the registry has not answered yet, so no instance of ${name} is known${why}`
      : `the registry cannot be heard, and knew no instance of ${name} before${why}`;
  return new RollcallError("REGISTRY_UNAVAILABLE", reason, { cause: error ?? cause });
}

/** Whether to wait is in vain: the registry was closed before it knew an instance. */
export function noneWillCome(membership: Membership): boolean {
  if (membership.state === "live") return false;
  if (membership.state === "stale" && membership.instances.length + membership.retained.length > 0) return false;
  return membership.error instanceof RollcallError && membership.error.code === "CLOSED";
}

function conditionOf(instances: readonly Instance[]): string {
  const named = instances
    .slice(0, NAMED)
    .map(({ address, draining }) => `${address} ${draining ? "is draining" : "has no connection"}`);
  const others = instances.length - named.length;
  return [...named, ...(others > 0 ? [`${others} more are no better`] : [])].join(", ");
}

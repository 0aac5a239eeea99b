/** Why a service has no endpoint to offer, so that an operator knows where to look first. */
import { RollcallError } from "../errors.js";
import type { Instance, Membership } from "../instance.js";

/** How many instances a message names. */
const NAMED = 3;

/** `cause` is what the call, or its last attempt, ran into. */
export function nothingToPick(membership: Membership, service: string | undefined, cause?: unknown): RollcallError {
  const name = service === undefined ? "the service" : `"${service}"`;
  const known = knownTo(membership);
  if (known.length > 0) {
    const failed = cause instanceof Error && !(cause instanceof RollcallError);
    const lastTry = failed ? `; the last attempt failed with: ${cause.message}` : "";
    const reason = `no instance of ${name} can take a call: ${conditionOf(known)}${lastTry}`;
    return new RollcallError("NO_USABLE_INSTANCES", reason, { cause });
  }
  if (membership.state === "live") {
    const reason = `the registry holds no instance of ${name}: is a server registered under this name?`;
    return new RollcallError("NO_INSTANCES", reason, { cause });
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
  if (membership.state === "live" || knownTo(membership).length > 0) return false;
  return membership.error instanceof RollcallError && membership.error.code === "CLOSED";
}

function knownTo(membership: Membership): readonly Instance[] {
  return membership.state === "pending" ? [] : [...membership.instances, ...membership.retained];
}

function conditionOf(instances: readonly Instance[]): string {
  const named = instances
    .slice(0, NAMED)
    .map(({ address, draining }) => `${address} ${draining ? "is draining" : "has no connection"}`);
  const others = instances.length - named.length;
  return [...named, ...(others > 0 ? [`${others} more are no better`] : [])].join(", ");
}

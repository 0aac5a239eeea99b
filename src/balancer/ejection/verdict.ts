import type { Endpoint } from "../../endpoints/endpoint.js";
import type { Outcome } from "../../outcome.js";

/**
 * What the end of a call says of the server's health.
 *
 * - `good`: it answered; that the caller was wrong is an answer too.
 * - `bad`: it failed, and the fault was its own.
 * - `busy`: it is alive and has too much to do. To eject it would only move its load to the others; how much it gets is the
 *   metric's matter.
 * - `none`: nothing. Nobody waited for the end, or it was the connection's: the endpoint keeps account of that itself, and is
 *   not `ready` until it is connected again.
 */
export type Verdict = "good" | "bad" | "busy" | "none";

export function verdictOf(
  outcome: Outcome,
  { state, connection }: Pick<Endpoint<unknown>, "state" | "connection">,
): Verdict {
  const { kind, reached, fault, pushbackMs } = outcome;
  if (kind === "cancelled") return "none";
  if (kind === "ok" || fault === "caller") return "good";
  if (fault === "overload" || (pushbackMs !== undefined && pushbackMs >= 0)) return "busy";
  if (fault !== "server") return "none";
  const ofConnection = connection.status !== undefined && (reached !== "maybe-seen" || state !== "ready");
  return ofConnection ? "none" : "bad";
}

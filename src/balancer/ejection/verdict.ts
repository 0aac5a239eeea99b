import type { Endpoint } from "../../endpoints/endpoint.js";
import type { Outcome } from "../../outcome.js";

/**
 * What the end of a call says of the server's health.
 *
 * - `good`: it answered; that the caller was wrong is an answer too.
 * - `bad`: it failed, and the fault was its own.
 * - `late`: it had not answered when another server had, long after. A server that hangs is heard of in no other way; but some
 *   answers of any server take long, so that only an unbroken row of them counts.
 * - `busy`: it is alive and has too much to do. To eject it would only move its load to the others; how much it gets is the
 *   metric's matter.
 * - `none`: nothing. Nobody waited for the end, or it was the connection's: the endpoint keeps account of that itself, and is
 *   not `ready` until it is connected again.
 */
export type Verdict = "good" | "bad" | "late" | "busy" | "none";

export function verdictOf(
  outcome: Outcome,
  { state, connection }: Pick<Endpoint<unknown>, "state" | "connection">,
): Verdict {
  const { kind, reached, fault, code, pushbackMs } = outcome;
  if (kind === "cancelled") return fault === "server" ? "late" : "none";
  if (kind === "ok" || fault === "caller") return "good";
  if (fault === "overload" || (pushbackMs !== undefined && pushbackMs >= 0)) return "busy";
  if (fault !== "server") return "none";
  if (connection.status === undefined) return "bad";
  if (reached !== "maybe-seen") return "none";
  // A connection on which no answer came in time may be in doubt for that, and what hangs may still be the server.
  return state === "ready" || code === "DEADLINE_EXCEEDED" ? "bad" : "none";
}

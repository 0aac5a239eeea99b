import type { Outcome } from "../../outcome.js";

/** No connection came about, so nothing was sent. */
const NEVER_SENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENOTFOUND", "EAI_AGAIN"]);
/** The connection broke while it was in use. */
const BROKEN = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "ECONNABORTED"]);

/**
 * What an error means when the connection has no opinion: only a connection that could not be made leaves no trace at the
 * server. The code may be on an inner error, as `fetch` has it.
 */
export function outcomeOfError(error: unknown): Outcome {
  const code = systemCode(error);
  if (code !== undefined && NEVER_SENT.has(code)) {
    return { kind: "failed", reached: "never-sent", fault: "server", code: "UNAVAILABLE" };
  }
  if (code !== undefined && BROKEN.has(code)) {
    return { kind: "failed", reached: "maybe-seen", fault: "server", code: "UNAVAILABLE" };
  }
  return { kind: "failed", reached: "maybe-seen", fault: "server" };
}

function systemCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}

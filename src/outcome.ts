/**
 * How a call, or one attempt of it, ended.
 *
 * `reached` tells what the server may have seen (gRFC A6): `never-sent` left no trace, `refused` came back unprocessed,
 * `maybe-seen` may have had its effect. `fault` says who is to blame for a failure: only the server's count against it.
 */
export interface Outcome {
  readonly kind: "ok" | "failed" | "cancelled";
  readonly reached: "never-sent" | "refused" | "maybe-seen";
  readonly fault?: "server" | "caller" | "overload";
  /** The transport's name for the failure, e.g. a gRPC status name. */
  readonly code?: string;
  /** Milliseconds from the pick to the first byte of the answer. */
  readonly firstResponseMs?: number;
  /** How long the server asks to be left alone, in milliseconds; negative means do not try again. */
  readonly pushbackMs?: number;
}

export const ok: Outcome = { kind: "ok", reached: "maybe-seen" };

/** Given up by the caller, or because another attempt was faster: nobody's fault, and no measure of anything. */
export const cancelled: Outcome = { kind: "cancelled", reached: "maybe-seen" };

/**
 * Given up for an answer from elsewhere, when it had used all the time that its call could give it. No failure, as the call
 * went well, and no measure; but of a server that answers nothing it is all that a client hears.
 */
export const overtaken: Outcome = {
  kind: "cancelled",
  reached: "maybe-seen",
  fault: "server",
  code: "DEADLINE_EXCEEDED",
};

/** No answer within the time that the attempt had. */
export const timedOut: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server", code: "DEADLINE_EXCEEDED" };

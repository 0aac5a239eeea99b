/**
 * What a failed gRPC call means for retries and for the server's reputation.
 *
 * Why not judge by the status alone: UNAVAILABLE is what grpc-js reports for a server that refused the connection and also
 * for one that died while it worked on the request. The first may be tried again without a thought, the second may not.
 * The text of the message would tell them apart until somebody rewords it, so the connection itself bears witness: a call
 * that ended without the connection ever having been ready cannot have been sent. The text is read only where it tells more
 * than the connection can, see `call-witness.ts`.
 */
import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Outcome } from "../../../index.js";

/** What the connection knows of a call that failed. */
export interface Witness {
  readonly reached: Outcome["reached"];
  /** Whether it was our side that ended the call. */
  readonly cancelledHere: boolean;
}

// Keyed by the status's metadata: grpc-js makes one for each failed call, and every error made of the status refers to it.
const witnesses = new WeakMap<Metadata, Witness>();

/** Puts on record what is known of the call that ended with `metadata`. */
export function testify(metadata: Metadata, witness: Witness): void {
  witnesses.set(metadata, witness);
}

type Fault = NonNullable<Outcome["fault"]>;

// Whose failure it is. What a server says about a request is the caller's; UNKNOWN is what an exception in a handler becomes.
const faults: Readonly<Record<number, Fault>> = {
  [status.CANCELLED]: "server",
  [status.UNKNOWN]: "server",
  [status.INVALID_ARGUMENT]: "caller",
  [status.DEADLINE_EXCEEDED]: "server",
  [status.NOT_FOUND]: "caller",
  [status.ALREADY_EXISTS]: "caller",
  [status.PERMISSION_DENIED]: "caller",
  [status.RESOURCE_EXHAUSTED]: "overload",
  [status.FAILED_PRECONDITION]: "caller",
  [status.ABORTED]: "caller",
  [status.OUT_OF_RANGE]: "caller",
  [status.UNIMPLEMENTED]: "caller",
  [status.INTERNAL]: "server",
  [status.UNAVAILABLE]: "server",
  [status.DATA_LOSS]: "server",
  [status.UNAUTHENTICATED]: "caller",
};

// RESOURCE_EXHAUSTED is also what a message is answered with that is too large, by grpc-js as by other servers: another
// server would say the same, and this one is not overloaded. Only the text tells; a reworded one costs two futile attempts.
const TOO_LARGE = /\blarger than max\b/;

/**
 * The outcome of an attempt that ended with `error`. Without proof of the contrary the server may have seen the call; a
 * stream that is refused (gRFC A6) while its connection lives on counts as seen too. An error that is no gRPC status comes
 * from the caller's own code.
 */
export function outcomeOf(error: unknown): Outcome {
  if (!isServiceError(error)) return { kind: "failed", reached: "maybe-seen", fault: "caller" };
  const witness = witnesses.get(error.metadata);
  const reached = witness?.reached ?? "maybe-seen";
  const code = status[error.code] ?? String(error.code);
  if (witness?.cancelledHere) return { kind: "cancelled", reached, code };
  const pushbackMs = pushback(error.metadata);
  return {
    kind: "failed",
    reached,
    fault: faultOf(error),
    code,
    ...(pushbackMs !== undefined && { pushbackMs }),
  };
}

function faultOf({ code, details }: ServiceError): Fault {
  if (code === status.RESOURCE_EXHAUSTED && TOO_LARGE.test(details)) return "caller";
  return faults[code] ?? "server";
}

export function isServiceError(error: unknown): error is ServiceError {
  return (
    error instanceof Error &&
    typeof (error as Partial<ServiceError>).code === "number" &&
    typeof (error as Partial<ServiceError>).metadata?.get === "function"
  );
}

/** gRFC A6: a delay in milliseconds; what cannot be read means "do not try again", as a negative number does. */
function pushback(trailer: Metadata): number | undefined {
  const value = trailer.get("grpc-retry-pushback-ms")[0];
  if (value === undefined) return undefined;
  return typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : -1;
}

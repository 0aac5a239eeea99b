/** How a layer learns how its calls end, and what the servers may have seen of them. */
import { outcomeOfError } from "../balancer/picking/outcome-of-error.js";
import { RollcallError } from "../errors.js";
import { cancelled, type Outcome, ok, timedOut } from "../outcome.js";
import type { Call, CallContext, CallFollower, CallOptions } from "./call.js";

/**
 * Runs a call and tells `onEnd` once how it ended: of a stream, at its end. Whoever runs the call knows best; where nobody
 * tells, what the promise does has to do.
 */
export function follow<C, R>(
  next: Call<C>,
  operation: (client: C, context: CallContext) => Promise<R>,
  options: CallOptions | undefined,
  onEnd: (outcome: Outcome) => void,
): Promise<R> {
  const outer = options?.follower;
  let told = false;
  const follower: CallFollower = {
    following: false,
    ended(outcome) {
      if (told) return;
      told = true;
      onEnd(outcome);
      outer?.ended(outcome);
    },
  };
  if (outer !== undefined) outer.following = true;
  const result = next(operation, { ...options, follower });
  result.then(
    () => follower.following || follower.ended(ok),
    (error) => follower.ended(outcomeOfRejection(error)),
  );
  return result;
}

/** The same for layers that ask only whether a call was answered: a stream is with its first message. */
export function followAnswer<C, R>(
  next: Call<C>,
  operation: (client: C, context: CallContext) => Promise<R>,
  options: CallOptions | undefined,
  onAnswer: (outcome: Outcome) => void,
): Promise<R> {
  let told = false;
  const tell = (outcome: Outcome) => {
    if (told) return;
    told = true;
    onAnswer(outcome);
  };
  const result = follow(next, operation, options, tell);
  result.then(
    () => tell(ok),
    () => {}, // `follow` tells
  );
  return result;
}

/** Whether the failure is one of the service's and not of its callers: what breakers, throttles and limits look at. */
export function isServersFault({ kind, fault }: Outcome): boolean {
  return kind === "failed" && (fault === "server" || fault === "overload");
}

/** Whether the service took the call, were it to say that it is wrong. A call that was given up, or not sent, tells nothing. */
export function isAccepted({ kind, fault }: Outcome): boolean {
  return kind === "ok" || (kind === "failed" && fault === "caller");
}

/** A call that rollcall refused itself has reached nobody and is nobody's fault. */
function outcomeOfRejection(error: unknown): Outcome {
  if (!(error instanceof RollcallError)) return outcomeOfError(error);
  if (error.code === "CALL_FAILED") return outcomeOfError(error.cause);
  if (error.code === "CANCELLED") return cancelled;
  if (error.code === "DEADLINE_EXCEEDED") return timedOut;
  return { kind: "failed", reached: "never-sent", code: error.code };
}

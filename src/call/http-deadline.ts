/**
 * Deadlines over HTTP, which has no header of its own for them. This is Envoy's: the whole milliseconds that the sender
 * still waits. A time span and not a time of day, since clocks differ; sidecars of Envoy write and read it too, and in any
 * language it is one line.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, systemClock } from "../clock.js";
import type { CallContext } from "./call.js";
import { whileAnswering } from "./deadline.js";

export const DEADLINE_HEADER = "x-envoy-expected-rq-timeout-ms";

/**
 * Runs `work` as part of answering `request`: calls that it makes have no more time than its sender waits, and are cancelled
 * when the connection closes before the response is complete.
 */
export function whileAnsweringHttp<R>(
  request: Pick<IncomingMessage, "headers">,
  response: Pick<ServerResponse, "once" | "closed" | "writableEnded" | "writableFinished">,
  work: () => R,
  clock: Clock = systemClock,
): R {
  const waitsMs = readDeadline(request.headers[DEADLINE_HEADER]);
  const deadlineMs = clock.nowMs() + waitsMs;
  let aborting: AbortController | undefined;
  const call = {
    remainingMs: () => deadlineMs - clock.nowMs(),
    get signal() {
      if (aborting === undefined) {
        const made = new AbortController();
        aborting = made;
        const abort = () => response.writableFinished || made.abort(new SenderGone());
        if (response.closed) abort();
        else response.once("close", abort);
      }
      return aborting.signal;
    },
    get answered() {
      return response.writableEnded;
    },
  };
  return whileAnswering(call, work);
}

/** The header that tells a server how long this attempt waits, to be sent with the request; none without a deadline. */
export function deadlineHeaders(
  { deadlineMs }: Pick<CallContext, "deadlineMs">,
  clock: Clock = systemClock,
): Readonly<Record<string, string>> {
  if (deadlineMs === Number.POSITIVE_INFINITY) return {};
  return { [DEADLINE_HEADER]: String(Math.max(1, Math.floor(deadlineMs - clock.nowMs()))) };
}

/** What cannot be read limits nothing, nor does 0, with which Envoy says that there is no limit. */
function readDeadline(header: string | readonly string[] | undefined): number {
  const milliseconds = typeof header === "string" && /^\d{1,9}$/.test(header) ? Number(header) : 0;
  return milliseconds > 0 ? milliseconds : Number.POSITIVE_INFINITY;
}

class SenderGone extends Error {
  override readonly name = "AbortError";

  constructor() {
    super("the connection closed before the response was complete");
  }
}

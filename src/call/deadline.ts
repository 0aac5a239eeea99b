/**
 * The deadline of a call that this process answers, for the calls that it makes to answer it.
 *
 * Why: a caller that waits one second has no use for what is computed in the third. Where each service takes time of its own,
 * those at the end of a chain work for callers who have long gone, most of all in an overload (SRE book, ch. 22). gRPC does
 * this in Go and Java; in Node the way from the handler to the call is `AsyncLocalStorage`.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { checkDuration } from "../deadline-queue.js";
import { RollcallError } from "../errors.js";
import { refuseUnknownOptions } from "../known-options.js";
import type { CallOptions, Layer } from "./call.js";

/** A call that this process is answering. */
export interface IncomingCall {
  /** How long its caller still waits, in milliseconds; `Infinity` if for ever, 0 or less when no longer. */
  remainingMs(): number;
  /** Aborts when its caller gives up or is gone. Read only when a call is made for it. */
  readonly signal: AbortSignal | undefined;
  /** Whether it has its answer: what goes on after that is nobody's to limit. */
  readonly answered: boolean;
}

export interface InheritDeadlineOptions {
  /**
   * Kept back from the time that is left, for the answer to be made and to travel; default 10 ms, and never more than a tenth
   * of what is left.
   */
  readonly marginMs?: number | undefined;
}

const DEFAULTS = { marginMs: 10 };

const KNOWN: Readonly<Record<keyof InheritDeadlineOptions, true>> = { marginMs: true };

const LARGEST_MARGIN = 0.1;

const answering = new AsyncLocalStorage<IncomingCall | undefined>();

/**
 * Runs `work` as part of answering `call`, with all that it awaits. `serve()` of `rollcall/grpc` does this for its handlers,
 * `whileAnsweringHttp` for those of HTTP.
 */
export function whileAnswering<R>(call: IncomingCall, work: () => R): R {
  return answering.run(call, work);
}

/** Runs `work` for itself: the calls that it makes outlive the one that is being answered. */
export function detached<R>(work: () => R): R {
  return answering.run(undefined, work);
}

/** The call that is being answered here, until it is. */
export function incomingCall(): IncomingCall | undefined {
  const call = answering.getStore();
  return call?.answered === false ? call : undefined;
}

/**
 * Gives calls at most the time that the call being answered has left, and cancels them when its caller gives up. Outside of
 * one it does nothing. When no time is left, it rejects with `DEADLINE_EXCEEDED` and nothing is sent.
 */
export function inheritDeadline(options: InheritDeadlineOptions = {}): Layer {
  refuseUnknownOptions("inheritDeadline()", options, KNOWN);
  const { marginMs = DEFAULTS.marginMs } = options;
  checkDuration("marginMs", marginMs);
  return (next) => (operation, callOptions) => {
    const call = incomingCall();
    if (call === undefined) return next(operation, callOptions);
    const remainingMs = call.remainingMs();
    if (remainingMs <= 0) return Promise.reject(noTimeLeft());
    const inheritedMs = remainingMs - Math.min(marginMs, remainingMs * LARGEST_MARGIN);
    return next(operation, {
      ...callOptions,
      timeoutMs: Math.min(inheritedMs, callOptions?.timeoutMs ?? Number.POSITIVE_INFINITY),
      signal: eitherOf(callOptions?.signal, call.signal),
    });
  };
}

function eitherOf(own: AbortSignal | undefined, callers: AbortSignal | undefined): CallOptions["signal"] {
  return own !== undefined && callers !== undefined ? AbortSignal.any([own, callers]) : (own ?? callers);
}

function noTimeLeft(): RollcallError {
  return new RollcallError("DEADLINE_EXCEEDED", "the call that is being answered has no time left for another");
}

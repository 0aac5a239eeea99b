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
import type { Layer } from "./call.js";
import { follow } from "./follow.js";

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
    const timeoutMs = Math.min(inheritedMs, callOptions?.timeoutMs ?? Number.POSITIVE_INFINITY);
    const [own, callers] = [callOptions?.signal, call.signal];
    if (own === undefined || callers === undefined) {
      return next(operation, { ...callOptions, timeoutMs, signal: own ?? callers });
    }
    const either = new EitherSignal(own, callers);
    return follow(next, operation, { ...callOptions, timeoutMs, signal: either.signal }, () => either.release());
  };
}

/**
 * Aborts as soon as one of two signals does. Not `AbortSignal.any`, which in Node 20 leaves an entry on each signal for every
 * call that ever was, and one of them may live as long as the process.
 */
class EitherSignal {
  readonly #sources: readonly AbortSignal[];
  readonly #controller = new AbortController();

  constructor(...sources: readonly AbortSignal[]) {
    this.#sources = sources;
    for (const source of sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      else source.addEventListener("abort", this);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  handleEvent({ target }: Event): void {
    this.#controller.abort((target as AbortSignal).reason); // it listens to nothing else
    this.release();
  }

  release(): void {
    for (const source of this.#sources) source.removeEventListener("abort", this);
  }
}

function noTimeLeft(): RollcallError {
  return new RollcallError("DEADLINE_EXCEEDED", "the call that is being answered has no time left for another");
}

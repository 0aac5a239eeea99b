import { Metadata, type ServerUnaryCall } from "@grpc/grpc-js";
import type { Clock, IncomingCall } from "../../../index.js";

/** What all kinds of grpc-js server calls have in common. */
type ServerCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  "cancelled" | "metadata" | "getPeer" | "getDeadline" | "sendMetadata"
> & { once(event: "cancelled", listener: () => void): unknown };

/** What a handler knows of the call that it answers. */
export interface HandlerContext {
  /**
   * Aborts when the client cancels or goes away, the deadline passes, or the server cuts the call as it shuts down; hand it
   * to whatever the handler calls. Work that goes on without it keeps the process alive after the server has closed.
   */
  readonly signal: AbortSignal;
  /** What the client sent along. */
  readonly metadata: Metadata;
  /** The client's address. */
  readonly peer: string;
  /** When the client stops waiting; absent when it waits for ever. */
  readonly deadline: Date | undefined;
  /** Sent before the first message, or with the failure. */
  readonly responseHeaders: Metadata;
  /** Sent with the status, also when the handler fails. */
  readonly responseTrailers: Metadata;
}

/** A context that makes nothing before it is asked for: most handlers look at none of it. */
export class CallHandlerContext implements HandlerContext, IncomingCall {
  readonly #call: ServerCall;
  readonly #clock: Clock;
  /** On the monotonic clock. */
  readonly #deadlineMs: number;
  #aborting: AbortController | undefined;
  #headers: Metadata | undefined;
  #trailers: Metadata | undefined;
  #finished = false;

  constructor(call: ServerCall, clock: Clock) {
    this.#call = call;
    this.#clock = clock;
    const deadline = Number(call.getDeadline());
    this.#deadlineMs = deadline === Number.POSITIVE_INFINITY ? deadline : clock.nowMs() + deadline - clock.epochMs();
  }

  remainingMs(): number {
    return this.#deadlineMs - this.#clock.nowMs();
  }

  get answered(): boolean {
    return this.#finished;
  }

  get signal(): AbortSignal {
    if (this.#aborting === undefined) {
      const aborting = new AbortController();
      this.#aborting = aborting;
      // grpc-js calls each call cancelled once it has ended, however it did.
      const abort = () => this.#finished || aborting.abort(new CallCancelled());
      if (this.#call.cancelled) abort();
      else this.#call.once("cancelled", abort);
    }
    return this.#aborting.signal;
  }

  get metadata(): Metadata {
    return this.#call.metadata;
  }

  get peer(): string {
    return this.#call.getPeer();
  }

  get deadline(): Date | undefined {
    const deadline = this.#call.getDeadline();
    return deadline === Number.POSITIVE_INFINITY ? undefined : new Date(deadline);
  }

  get responseHeaders(): Metadata {
    this.#headers ??= new Metadata();
    return this.#headers;
  }

  get responseTrailers(): Metadata {
    this.#trailers ??= new Metadata();
    return this.#trailers;
  }

  /** Sends the headers, if there are any, the first time it is called. */
  sendHeaders(): void {
    if (this.#headers === undefined) return;
    const headers = this.#headers;
    this.#headers = undefined;
    this.#call.sendMetadata(headers);
  }

  /** The handler is done: what was set as trailers, and no abort from here on. */
  finish(): Metadata | undefined {
    this.#finished = true;
    return this.#trailers;
  }
}

class CallCancelled extends Error {
  override readonly name = "AbortError";

  constructor() {
    super("the call was cancelled, its client went away, its deadline passed, or the server shut down");
  }
}

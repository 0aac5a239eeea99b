/**
 * A grpc-js stream as requests in and an async iterable out.
 *
 * Why not the stream's own iterator alone: grpc-js emits a failure without destroying the stream, so a reader who starts
 * after the failure would see a clean end; and leaving the loop would leave the call running.
 */
import { setImmediate as turnOfEventLoop } from "node:timers/promises";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { isServiceError } from "./outcome-of.js";

export interface ResponseObserver {
  /** Told of each message. */
  received(): void;
  /** The error that the reader gets for one of grpc-js. */
  explain(error: ServiceError): Error;
}

export class ResponseStream<O> implements AsyncIterableIterator<O> {
  readonly #call: ClientDuplexStream<Buffer, O>;
  readonly #observer: ResponseObserver;
  readonly #responses: AsyncIterator<O>;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;
  #wakeSender = () => {};

  constructor(call: ClientDuplexStream<Buffer, O>, observer: ResponseObserver) {
    this.#call = call;
    this.#observer = observer;
    this.#responses = call[Symbol.asyncIterator]();
    call.on("error", (error) => this.#fail(isServiceError(error) ? observer.explain(error) : error));
    call.on("drain", () => this.#wakeSender());
    call.once("status", () => {
      this.#ended = true;
      this.#wakeSender();
    });
  }

  /** Sends until `requests` or the call ends. A failure of `requests` cancels the call. Never rejects. */
  async send<I>(requests: Iterable<I> | AsyncIterable<I>, serialize: (request: I) => Buffer): Promise<void> {
    try {
      for await (const request of requests) {
        if (this.#ended) return;
        if (this.#call.write(serialize(request))) continue;
        await this.#drained();
        // grpc-js asks for more before a socket has had its say: requests that are all there at once would hold the event
        // loop until a megabyte of them is waiting.
        await turnOfEventLoop();
      }
      this.#call.end();
    } catch (error) {
      this.#fail(error);
      this.#call.cancel();
    }
  }

  async next(): Promise<IteratorResult<O, undefined>> {
    const result = await this.#responses.next().catch((error: unknown) => {
      this.#fail(error);
    });
    if (result !== undefined && result.done !== true) {
      this.#observer.received();
      return result;
    }
    if (this.#failure) throw this.#failure.error;
    return { done: true, value: undefined };
  }

  /** Cancels the call, unless it has ended. */
  async return(): Promise<IteratorResult<O, undefined>> {
    this.#call.cancel();
    await this.#responses.return?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended) resolve();
      else this.#wakeSender = resolve;
    });
  }

  /** The first failure is the cause of those that follow. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
  }
}

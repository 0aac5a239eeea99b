/**
 * A streaming call through a balancer: attempts until one gives its first message, and that one to its end. Its endpoint
 * counts as busy for as long as the stream runs.
 */
import type { Call, CallContext, CallOptions, Outcome } from "../../../index.js";
import { outcomeOf } from "./outcome-of.js";
import { ReplayedRequests } from "./replayed-requests.js";

export interface BalancedStreamOptions<C, I, O> {
  readonly call: Call<C>;
  readonly callOptions: CallOptions;
  readonly requests: Iterable<I> | AsyncIterable<I>;
  /** Opens the stream on one instance's client. */
  readonly open: (client: C, requests: AsyncIterable<I>, context: CallContext) => AsyncIterable<O>;
}

/** The attempt that was first to answer. */
interface Opened<O> {
  readonly first: IteratorResult<O, unknown>;
  readonly responses: AsyncIterator<O, unknown>;
  /** Ends the pick. */
  tellEnd(outcome: Outcome): void;
}

const ENDED: Outcome = { kind: "ok", reached: "maybe-seen" };
const LEFT: Outcome = { kind: "cancelled", reached: "maybe-seen" };

/** Starts at once. Leaving the loop over the responses cancels the call. */
export class BalancedStream<C, I, O> implements AsyncIterableIterator<O> {
  readonly #requests: ReplayedRequests<I>;
  readonly #leaving = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#leaving.abort(this.#signal?.reason);
  readonly #opened: Promise<Opened<O>>;
  #firstGiven = false;

  constructor({ call, callOptions, requests, open }: BalancedStreamOptions<C, I, O>) {
    this.#requests = new ReplayedRequests(requests);
    this.#signal = callOptions.signal;
    if (this.#signal?.aborted) this.#onAbort();
    else this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#opened = call(
      async (client, context) => {
        const responses = open(client, this.#requests.attempt(), context)[Symbol.asyncIterator]();
        const first = await responses.next();
        let tellEnd: Opened<O>["tellEnd"] = () => {};
        const end = new Promise<Outcome>((resolve) => {
          tellEnd = resolve;
        });
        if (!first.done) context.holdUntil(end);
        return { first, responses, tellEnd };
      },
      { ...callOptions, signal: this.#leaving.signal },
    );
    this.#opened.then(
      () => this.#requests.commit(),
      () => this.#close(), // whoever reads is told in next()
    );
  }

  async next(): Promise<IteratorResult<O, undefined>> {
    const opened = await this.#opened;
    const result = this.#firstGiven ? await this.#following(opened) : opened.first;
    this.#firstGiven = true;
    if (!result.done) return result;
    opened.tellEnd(ENDED);
    this.#close();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<O, undefined>> {
    this.#leaving.abort();
    await this.#opened.then(
      async ({ responses, tellEnd }) => {
        await responses.return?.();
        tellEnd(LEFT);
      },
      () => {},
    );
    this.#close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #following({ responses, tellEnd }: Opened<O>): Promise<IteratorResult<O, unknown>> {
    try {
      return await responses.next();
    } catch (error) {
      tellEnd(outcomeOf(error));
      this.#close();
      throw error;
    }
  }

  #close(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#requests.close();
  }
}

/**
 * The requests of a streaming call, for more than one attempt of it: each attempt gets them from the first on, although the
 * source can be read only once (the retry buffer of gRFC A6).
 *
 * A chain of links, each read from the source when first asked for. Whoever holds a link can read on from there; what
 * nobody holds any more is let go.
 */

/** Beyond this the first ones are let go and the call is not tried again: an upload must not pile up in memory. */
const KEPT_REQUESTS = 64;

interface Link<I> {
  /** Absent at the end. */
  next(): Promise<{ readonly request: I; readonly rest: Link<I> } | undefined>;
}

export class ReplayedRequests<I> {
  readonly #source: Iterator<I> | AsyncIterator<I>;
  #first: Link<I> | undefined;
  #read = 0;

  constructor(requests: Iterable<I> | AsyncIterable<I>) {
    this.#source = Symbol.asyncIterator in requests ? requests[Symbol.asyncIterator]() : requests[Symbol.iterator]();
    this.#first = this.#link();
  }

  /** All requests, for one attempt; throws once they are no longer kept. */
  attempt(): AsyncIterable<I> {
    if (this.#first) return follow(this.#first);
    throw new Error(`the stream cannot be tried again: more than ${KEPT_REQUESTS} of its requests were sent`);
  }

  /** There will be no further attempt. */
  commit(): void {
    this.#first = undefined;
  }

  /** The call is over: the source may let go of what it holds. */
  close(): void {
    this.commit();
    void Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  #link(): Link<I> {
    let next: ReturnType<Link<I>["next"]> | undefined;
    return {
      next: () => {
        next ??= this.#readNext();
        return next;
      },
    };
  }

  async #readNext(): ReturnType<Link<I>["next"]> {
    const result = await this.#source.next();
    if (result.done) return undefined;
    this.#read += 1;
    if (this.#read > KEPT_REQUESTS) this.commit();
    return { request: result.value, rest: this.#link() };
  }
}

/** Not a generator: that would keep the link that it began with, and so every request, for as long as it runs. */
function follow<I>(first: Link<I>): AsyncIterable<I> {
  let link = first;
  const requests: AsyncIterableIterator<I> = {
    async next() {
      const next = await link.next();
      if (next === undefined) return { done: true, value: undefined };
      link = next.rest;
      return { done: false, value: next.request };
    },
    [Symbol.asyncIterator]: () => requests,
  };
  return requests;
}

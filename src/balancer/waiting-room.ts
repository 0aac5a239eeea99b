/** Where calls wait while there is no endpoint to pick: in order of arrival, and looked at whenever the endpoints change. */
import type { Clock, Timer } from "../clock.js";
import type { Endpointer } from "../endpoints/endpoint.js";

export class WaitingRoom {
  readonly #endpointer: Endpointer<unknown>;
  readonly #clock: Clock;
  /** Each with the timer that keeps the process alive for it: without connections nothing else may. */
  readonly #waiting = new Map<() => boolean, Timer | undefined>();
  #subscription: Disposable | undefined;

  constructor(endpointer: Endpointer<unknown>, clock: Clock) {
    this.#endpointer = endpointer;
    this.#clock = clock;
  }

  /** Calls `tryNow` after each change until it returns true. Returns how to give up, as whoever waits does at `untilMs`. */
  join(tryNow: () => boolean, untilMs: number): () => void {
    this.#subscription ??= this.#endpointer.availability.subscribe(() => this.tryAll()); // nobody is in yet to be told
    this.#waiting.set(tryNow, this.#stayAlive(untilMs));
    return () => this.#leave(tryNow);
  }

  /** Lets everybody try. */
  tryAll(): void {
    for (const tryNow of [...this.#waiting.keys()]) {
      if (this.#waiting.has(tryNow) && tryNow()) this.#leave(tryNow);
    }
  }

  #stayAlive(untilMs: number): Timer | undefined {
    if (untilMs === Number.POSITIVE_INFINITY) return undefined;
    return this.#clock.after(Math.max(0, untilMs - this.#clock.nowMs()), () => {}, { hold: true });
  }

  #leave(tryNow: () => boolean): void {
    this.#waiting.get(tryNow)?.cancel();
    this.#waiting.delete(tryNow);
    if (this.#waiting.size > 0) return;
    this.#subscription?.[Symbol.dispose]();
    this.#subscription = undefined;
  }
}

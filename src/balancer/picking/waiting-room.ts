/**
 * Where calls wait while there is no endpoint to pick: in order of arrival, and looked at whenever the endpoints change, or
 * the view that they were made of: a registry that was closed brings no more.
 */
import type { Clock, Timer } from "../../clock.js";
import type { Endpointer } from "../../endpoints/endpoint.js";

export class WaitingRoom {
  readonly #endpointer: Endpointer<unknown>;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => boolean>();
  #subscriptions: readonly Disposable[] = [];
  #stayAlive: Timer | undefined;

  constructor(endpointer: Endpointer<unknown>, clock: Clock) {
    this.#endpointer = endpointer;
    this.#clock = clock;
  }

  /** Calls `tryNow` after each change until it returns true. Returns how to give up. */
  join(tryNow: () => boolean): () => void {
    if (this.#waiting.size === 0) {
      const { availability, membership } = this.#endpointer;
      // Nobody is in yet to be told.
      this.#subscriptions = [availability, membership].map((live) => live.subscribe(() => this.tryAll()));
      this.#stayAlive = holdProcess(this.#clock);
    }
    this.#waiting.add(tryNow);
    return () => this.#leave(tryNow);
  }

  /** Lets everybody try. */
  tryAll(): void {
    for (const tryNow of [...this.#waiting]) {
      if (this.#waiting.has(tryNow) && tryNow()) this.#leave(tryNow);
    }
  }

  #leave(tryNow: () => boolean): void {
    if (!this.#waiting.delete(tryNow) || this.#waiting.size > 0) return;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#stayAlive?.cancel();
  }
}

/** Keeps the process alive while somebody waits for an endpoint: without connections nothing else may. */
export function holdProcess(clock: Clock): Timer {
  return clock.after(Number.POSITIVE_INFINITY, () => {}, { hold: true });
}

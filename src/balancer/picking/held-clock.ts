import type { Clock, Timer } from "../../clock.js";

/** A clock that stands still during a pick: a strategy compares costs of one moment, and the system's clock is read once. */
export class HeldClock implements Clock {
  readonly #clock: Clock;
  #held = false;
  #heldMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Stands still until `release()`. */
  hold(): void {
    this.#heldMs = this.#clock.nowMs();
    this.#held = true;
  }

  release(): void {
    this.#held = false;
  }

  nowMs(): number {
    return this.#held ? this.#heldMs : this.#clock.nowMs();
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  after(delayMs: number, callback: () => void, options?: { readonly hold?: boolean }): Timer {
    return this.#clock.after(delayMs, callback, options);
  }
}

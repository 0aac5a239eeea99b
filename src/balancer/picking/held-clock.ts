import { type Clock, readSystemTime, systemClock, type Timer } from "../../clock.js";

/** A clock that stands still during a pick: a strategy compares costs of one moment, and the system's clock is read once. */
export class HeldClock implements Clock {
  readonly #clock: Clock;
  /** Reads the time into `#time`, so that the way of a pick has no function that returns one and puts it on the heap. */
  readonly #read: (time: Float64Array) => void;
  readonly #time = new Float64Array(1);
  #held = false;
  #nowMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#read =
      clock === systemClock
        ? readSystemTime
        : (time) => {
            time[0] = clock.nowMs();
          };
  }

  /** Stands still until `release()`. */
  hold(): void {
    this.#tick();
    this.#held = true;
  }

  release(): void {
    this.#held = false;
  }

  nowMs(): number {
    if (!this.#held) this.#tick();
    return this.#nowMs;
  }

  #tick(): void {
    this.#read(this.#time);
    this.#nowMs = this.#time[0] as number; // just written
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  after(delayMs: number, callback: () => void, options?: { readonly hold?: boolean }): Timer {
    return this.#clock.after(delayMs, callback, options);
  }
}

/** The calls of one endpoint that have no answer yet, in the order of their beginning; the links are in the calls. */
import type { InFlight } from "../meter.js";

export class Unanswered {
  #newest: InFlight | undefined;
  #sinceMs = Number.POSITIVE_INFINITY;

  /** When the oldest began; `Infinity` while there is none. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  add(call: InFlight): void {
    call.before = this.#newest;
    if (this.#newest === undefined) this.#lead(call);
    else this.#newest.after = call;
    this.#newest = call;
  }

  remove(call: InFlight): void {
    const { before, after } = call;
    if (before === undefined) this.#lead(after);
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
    call.before = undefined; // a call that is kept must not keep all that came after it
    call.after = undefined;
  }

  #lead(oldest: InFlight | undefined): void {
    this.#sinceMs = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.startedMs;
  }
}

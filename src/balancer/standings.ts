/** What is known of each address, whatever becomes of its endpoint: it survives every update, reconnect and short absence. */
import type { Clock } from "../clock.js";
import type { Meter } from "./meter.js";

/** An address that is back within this time is judged by what was known of it. */
const KEEP_AFTER_REMOVAL_MS = 60_000;
/** One that is back within this time was not away: its caches are as warm as before. */
const SHORT_ABSENCE_MS = 5_000;

export interface Standing {
  readonly meter: Meter | undefined;
  /** When it joined a set that was in use; absent when it was there from the beginning. */
  readonly joinedMs: number | undefined;
}

export class Standings {
  readonly #meterFor: (address: string) => Meter | undefined;
  readonly #clock: Clock;
  readonly #known = new Map<string, Standing>();
  /** Since when an address is gone. */
  readonly #gone = new Map<string, number>();

  constructor(meterFor: (address: string) => Meter | undefined, clock: Clock) {
    this.#meterFor = meterFor;
    this.#clock = clock;
  }

  /** Of an address that is in the set from now on, or still is; `amongFirst` when there was no set before. */
  of(address: string, amongFirst: boolean): Standing {
    const nowMs = this.#clock.nowMs();
    const awayMs = nowMs - (this.#gone.get(address) ?? nowMs);
    const known = awayMs <= KEEP_AFTER_REMOVAL_MS ? this.#known.get(address) : undefined;
    this.#gone.delete(address);
    if (known !== undefined && awayMs <= SHORT_ABSENCE_MS) return known;
    const standing = {
      meter: known === undefined ? this.#meterFor(address) : known.meter,
      joinedMs: amongFirst ? undefined : nowMs,
    };
    this.#known.set(address, standing);
    return standing;
  }

  /** `addresses` are gone from now on; what is known of those that are gone for long is let go. */
  left(addresses: readonly string[]): void {
    const nowMs = this.#clock.nowMs();
    for (const address of addresses) this.#gone.set(address, nowMs);
    for (const [address, sinceMs] of this.#gone) {
      if (nowMs - sinceMs <= KEEP_AFTER_REMOVAL_MS) break; // in the order of their going
      this.#gone.delete(address);
      this.#known.delete(address);
    }
  }
}

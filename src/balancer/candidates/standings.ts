/** What is known of each address, whatever becomes of its endpoint: it survives every update, reconnect and short absence. */
import type { Clock } from "../../clock.js";
import type { Health, Member } from "../ejection/health.js";
import type { Meter } from "../meter.js";

/** An address that is back within this time is judged by what was known of it. */
const KEEP_AFTER_REMOVAL_MS = 60_000;
/** One that is back within this time was not away: its caches are as warm as before. */
const SHORT_ABSENCE_MS = 5_000;

/** What is known of an address as long as anything is. */
export interface Knowledge<M extends Member> {
  readonly meter: Meter | undefined;
  readonly health: Health<M> | undefined;
}

export interface Standing<M extends Member> extends Knowledge<M> {
  /** When it joined a set that was in use; absent when it was there from the beginning. */
  readonly joinedMs: number | undefined;
}

export class Standings<M extends Member> {
  readonly #begin: (address: string) => Knowledge<M>;
  readonly #clock: Clock;
  readonly #known = new Map<string, Standing<M>>();
  /** Since when an address is gone. */
  readonly #gone = new Map<string, number>();

  constructor(begin: (address: string) => Knowledge<M>, clock: Clock) {
    this.#begin = begin;
    this.#clock = clock;
  }

  /** Of an address that is in the set from now on, or still is; `amongFirst` when there was no set before. */
  of(address: string, amongFirst: boolean): Standing<M> {
    const nowMs = this.#clock.nowMs();
    const awayMs = nowMs - (this.#gone.get(address) ?? nowMs);
    const known = awayMs <= KEEP_AFTER_REMOVAL_MS ? this.#known.get(address) : undefined;
    this.#gone.delete(address);
    if (known !== undefined && awayMs <= SHORT_ABSENCE_MS) return known;
    const { meter, health } = known ?? this.#begin(address);
    const standing = { meter, health, joinedMs: amongFirst ? undefined : nowMs };
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

/**
 * What the endpoints of a set cost, for meters that judge relative to it.
 *
 * Why not look whenever one asks: a metric may ask at every pick, and a pick must not cost more in a larger set. So there is
 * one look for all of them, over a sample if the set is large, and the next not before some time has passed.
 */
import type { Meter, Peers } from "../meter.js";

/** Ten looks of some microseconds in a tenth of a second are not felt; latencies do not change faster than that. */
const LOOK_AGAIN_MS = 10;
/** The median of so many lies within a few ranks in a hundred of that of all. */
const SAMPLE = 128;

interface Measured {
  readonly meter: Meter | undefined;
}

export class PeerCosts implements Peers {
  #set: readonly Measured[] = [];
  #nextLookMs = Number.NEGATIVE_INFINITY;
  /** Where the next sample begins, so that in time everybody was in one. */
  #sampleFrom = 0;
  #medianIdleCost = 0;
  #maxCost = 0;

  replace(set: readonly Measured[]): void {
    this.#set = set;
    this.#nextLookMs = Number.NEGATIVE_INFINITY;
  }

  medianIdleCost(nowMs: number): number {
    if (nowMs >= this.#nextLookMs) this.#look(nowMs);
    return this.#medianIdleCost;
  }

  maxCost(nowMs: number): number {
    if (nowMs >= this.#nextLookMs) this.#look(nowMs);
    return this.#maxCost;
  }

  #look(nowMs: number): void {
    this.#nextLookMs = nowMs + LOOK_AGAIN_MS; // first: meters that are asked ask in turn, and hear the last answer
    const size = Math.min(this.#set.length, SAMPLE);
    const idleCosts: number[] = [];
    let maxCost = 0;
    for (let n = 0; n < size; n += 1) {
      const meter = this.#set[(this.#sampleFrom + n) % this.#set.length]?.meter;
      if (meter === undefined) continue;
      const idleCost = meter.idleCost === undefined ? meter.cost() : meter.idleCost();
      if (idleCost !== undefined) idleCosts.push(idleCost);
      maxCost = Math.max(maxCost, meter.blamelessCost?.() ?? meter.cost());
    }
    if (size < this.#set.length) this.#sampleFrom = (this.#sampleFrom + size) % this.#set.length;
    this.#maxCost = maxCost;
    this.#medianIdleCost = lowerMedian(idleCosts);
  }
}

/** Of two the lower: the one that a slow endpoint should recover to. */
function lowerMedian(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[(values.length - 1) >> 1] ?? 0;
}

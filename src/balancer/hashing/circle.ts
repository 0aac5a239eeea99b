/**
 * Places in a circle, each owned by a candidate. A key has a place, whose owner takes its calls; where that one is not to be
 * picked, the owners of the places behind it are next, in their order. So a key has the same second candidate in every
 * client, and those of a failing candidate spread over all the others.
 */
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext } from "../strategy.js";

export class Circle {
  /** Of each place, the candidate's place in its set. */
  readonly owners: Int32Array;
  /** Of each candidate, the last walk that came by. */
  readonly #seen: Int32Array;
  #walk = 0;

  constructor(owners: Int32Array, candidates: number) {
    this.owners = owners;
    this.#seen = new Int32Array(candidates);
  }

  /** The most willing candidate, and of several the first from the place `start` on. */
  pick<E extends Candidate>(start: number, candidates: readonly E[], context: PickContext): E | undefined {
    const first = candidates[this.owners[start] ?? 0];
    if (first === undefined || reluctance(first, context) === 0) return first;
    return this.#next(start, candidates, context);
  }

  #next<E extends Candidate>(start: number, candidates: readonly E[], context: PickContext): E | undefined {
    const { owners } = this;
    this.#walk += 1;
    let chosen: E | undefined;
    let best = 4;
    let unseen = candidates.length;
    // Who owns no place comes last.
    for (let step = 0; step < owners.length + candidates.length && unseen > 0 && best > 0; step += 1) {
      const place = step < owners.length ? owners[(start + step) % owners.length] : step - owners.length;
      if (place === undefined || this.#seen[place] === this.#walk) continue;
      this.#seen[place] = this.#walk;
      unseen -= 1;
      const candidate = candidates[place];
      const rank = candidate === undefined ? 4 : reluctance(candidate, context);
      if (rank < best) {
        best = rank;
        chosen = candidate;
      }
    }
    return chosen;
  }
}

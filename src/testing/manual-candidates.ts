/** Candidates whose standing a test sets by hand, to try a strategy without a balancer. */
import type { Candidate } from "../balancer/strategy.js";

export interface ManualCandidate extends Candidate {
  weight: number;
  usable: boolean;
  pending: number;
  /** What `cost()` answers. */
  load: number;
}

/** One candidate for each address: usable, of weight 1, without calls and without a cost, unless `traits` say otherwise. */
export function manualCandidates(
  addresses: readonly string[],
  traits: Partial<ManualCandidate> = {},
): ManualCandidate[] {
  return addresses.map((address) => ({
    weight: 1,
    usable: true,
    pending: 0,
    load: 0,
    cost() {
      return this.load;
    },
    ...traits,
    address,
  }));
}

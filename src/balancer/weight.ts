import type { Candidate } from "./strategy.js";

/**
 * Reads weights so that each is a number above 0: a candidate that has none such counts as the mean of those that do, and all
 * are equal where fewer than two do (gRFC A58). The balancer's candidates always have one; those of others may not.
 */
export function weightReader(candidates: readonly Candidate[]): (candidate: Candidate) => number {
  const weighted = candidates.filter(hasWeight);
  const mean = weighted.length === 0 ? 1 : weighted.reduce((sum, { weight }) => sum + weight, 0) / weighted.length;
  return (candidate) => (hasWeight(candidate) ? candidate.weight : mean);
}

function hasWeight({ weight }: Candidate): boolean {
  return weight > 0 && weight < Number.POSITIVE_INFINITY;
}

import type { Candidate } from "./strategy.js";

/**
 * Reads weights so that each is a number above 0: a candidate that has none such counts as the mean of those that do, and all
 * are equal where fewer than two do (gRFC A58). The balancer's candidates always have one; those of others may not.
 */
export function weightReader(candidates: readonly Candidate[]): (candidate: Candidate) => number {
  const mean = meanWeight(candidates.map(({ weight }) => weight));
  return ({ weight }) => (isWeight(weight) ? weight : mean);
}

/** Of those that are weights; 1 where none is. */
export function meanWeight(weights: readonly (number | undefined)[]): number {
  const said = weights.filter(isWeight);
  return said.length === 0 ? 1 : said.reduce((sum, weight) => sum + weight, 0) / said.length;
}

export function isWeight(weight: number | undefined): weight is number {
  return weight !== undefined && weight > 0 && weight < Number.POSITIVE_INFINITY;
}

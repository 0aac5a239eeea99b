/**
 * Draws at random, each candidate as often as its weight says, in the same time for any number of them: Walker's alias
 * method in Vose's form ("A linear algorithm for generating random numbers with a given distribution", 1991). With equal
 * weights, which nearly all sets have, a plain draw.
 */
import type { IntegerSource } from "../../random.js";

/** A side of a coin is an integer below this. */
const COIN = 2 ** 31;

/** A draw from a set that is not empty, with weights above 0. */
export function weightedDraw<E>(
  candidates: readonly E[],
  weightOf: (candidate: E) => number,
  below: IntegerSource,
): () => E {
  const drawn = (index: number) => candidates[index] as E; // the set is not empty, and all indices below are in it
  const weights = candidates.map(weightOf);
  if (weights.every((weight) => weight === weights[0])) return () => drawn(below(candidates.length));
  const { odds, alias } = aliasTable(weights);
  return () => {
    const index = below(candidates.length);
    return drawn(below(COIN) < (odds[index] ?? 1) * COIN ? index : (alias[index] ?? index));
  };
}

/** Every index has an equal column: its own up to the odds, and above them its alias's. */
function aliasTable(weights: readonly number[]): { readonly odds: Float64Array; readonly alias: Uint32Array } {
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  const odds = Float64Array.from(weights, (weight) => weight / mean);
  const alias = Uint32Array.from(weights, (_weight, index) => index);
  const light: number[] = [];
  const heavy: number[] = [];
  odds.forEach((share, index) => void (share < 1 ? light : heavy).push(index));
  while (light.length > 0 && heavy.length > 0) {
    const under = light.pop() as number; // neither is empty
    const over = heavy.at(-1) as number;
    alias[under] = over;
    const left = (odds[over] ?? 0) - (1 - (odds[under] ?? 0));
    odds[over] = left;
    if (left < 1) light.push(heavy.pop() as number);
  }
  // What rounding left over is a full column.
  for (const index of [...light, ...heavy]) odds[index] = 1;
  return { odds, alias };
}

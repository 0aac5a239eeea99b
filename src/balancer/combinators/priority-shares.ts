/** Envoy's rule for the calls of each priority level (its pages "Priority levels" and "Panic threshold"). */
import type { Share } from "./by-groups.js";

/**
 * `healthy` is the usable part of each level, from 0 to 1, the best level first. A level can carry `overprovisioning` times
 * its healthy part, and all of the calls at most. Each takes what it can of what the levels before leave; where all together
 * carry less than all calls, each gets more in proportion, and one below the panic threshold uses all its members.
 */
export function priorityShares(
  healthy: readonly number[],
  overprovisioning: number,
  panicThreshold: number,
): readonly Share[] {
  const capacities = healthy.map((part) => Math.min(1, part * overprovisioning));
  const total = capacities.reduce((sum, capacity) => sum + capacity, 0);
  if (total === 0) return healthy.map(() => ({ share: 0, panic: panicThreshold > 0 }));
  const carried = Math.min(1, total);
  let left = 1;
  return capacities.map((capacity, level) => {
    const share = Math.min(left, capacity / carried);
    left -= share;
    return { share, panic: total < 1 && (healthy[level] ?? 0) < panicThreshold };
  });
}

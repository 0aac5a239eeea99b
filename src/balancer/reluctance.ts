import type { Candidate, PickContext } from "./strategy.js";

/**
 * How willingly a candidate is picked, 0 being best: usable and not tried before; usable; not tried before; any. A strategy
 * takes the lowest that it finds, and so never leaves a call without an endpoint.
 */
export function reluctance(candidate: Candidate, context: PickContext): 0 | 1 | 2 | 3 {
  const tried = context.exclude?.has(candidate.address) ?? false;
  if (candidate.usable) return tried ? 1 : 0;
  return tried ? 3 : 2;
}

/**
 * Any candidate with the same probability, whatever its weight. It keeps nothing between calls, so many clients never fall
 * into step; over few calls it spreads worse than taking turns.
 */
import { refuseArguments } from "../../check-kind.js";
import { randomInteger } from "../../random.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";

export function random(...none: []): Strategy {
  refuseArguments("random()", none);
  return (environment) =>
    <E extends Candidate>(candidates: readonly E[]) =>
    (context: PickContext): E | undefined => {
      const first = candidates[randomInteger(environment.random, candidates.length)];
      if (first === undefined || reluctance(first, context) === 0) return first;
      const best = Math.min(...candidates.map((candidate) => reluctance(candidate, context)));
      const eligible = candidates.filter((candidate) => reluctance(candidate, context) === best);
      return eligible[randomInteger(environment.random, eligible.length)];
    };
}

/**
 * The one with the fewest calls in progress for its weight, of all; those that are equal by chance, as often as their weights
 * say. (Finagle: `heap`; Envoy: `LEAST_REQUEST` with `FULL_SCAN`.)
 *
 * It spreads best over few endpoints that are all sound. Where one fails at once it gets nearly every call, and of many
 * clients all go to a new endpoint: `p2c()` bounds both. A pick looks at everybody.
 */
import { refuseArguments } from "../../check-kind.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightReader } from "../weight.js";

export function leastRequest(...none: []): Strategy {
  refuseArguments("leastRequest()", none);
  return ({ random }) =>
    <E extends Candidate>(candidates: readonly E[]) => {
      const weightOf = weightReader(candidates);
      return (context: PickContext): E | undefined => {
        let best: E | undefined;
        let lowest = Number.POSITIVE_INFINITY;
        let fewest = Number.POSITIVE_INFINITY;
        let total = 0;
        for (const candidate of candidates) {
          const rank = reluctance(candidate, context);
          const weight = weightOf(candidate);
          const load = candidate.pending / weight;
          if (rank > lowest || (rank === lowest && load > fewest)) continue;
          // Each of k equals stays with its part of their weight (reservoir sampling).
          total = rank === lowest && load === fewest ? total + weight : weight;
          if (total === weight || random() * total < weight) best = candidate;
          lowest = rank;
          fewest = load;
        }
        return best;
      };
    };
}

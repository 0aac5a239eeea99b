/**
 * The cheaper of two drawn at random ("power of two choices", Mitzenmacher 1996; Finagle's `P2CPick.scala`).
 *
 * Why not the cheapest of all: whoever looks best for a moment, because it is new or fails at once, would get every call of
 * every client. Of two it gets at most two in N. And the cost of a pick does not grow with the set.
 *
 * Both are drawn from those that should get the call, by drawing again, so that a set with a dead endpoint is balanced as
 * well as one without. They are never the same: with replacement, as in Envoy and gRFC A48, even a frozen endpoint is picked
 * whenever it is drawn against itself, of three at every ninth call. Of two that cost the same the first is picked, which was drawn by chance.
 *
 * A candidate is drawn as often as its weight says, and is compared by a cost that has its load divided by the weight. The
 * first makes the weights hold while nobody is busy, the second under load.
 */
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightedDraw } from "./weighted-draw.js";

/** With a third of the set unusable, one pick in five hundred needs a look at all. */
const DRAWS = 8;
/**
 * Between different weights the draw decides unless the second is clearly cheaper. Latencies vary by as much, and of the two
 * endpoints of a set the faster would get all calls by a hair, whatever the weights.
 */
const CLEARLY_CHEAPER = 0.75;

export function p2c(): Strategy {
  return ({ random }) =>
    <E extends Candidate>(candidates: readonly E[]) => {
      if (candidates.length < 2) return () => candidates[0];
      const draw = weightedDraw(candidates, random);
      return (context: PickContext): E | undefined => {
        let first: E | undefined;
        for (let n = 0; n < DRAWS; n += 1) {
          const drawn = draw();
          if (drawn === first || reluctance(drawn, context) > 0) continue;
          if (first !== undefined) return cheaper(first, drawn);
          first = drawn;
        }
        const rank = lowestReluctance(candidates, context);
        const one = drawAmong(candidates, context, rank, undefined, random());
        const other = drawAmong(candidates, context, rank, one, random());
        return one === undefined || other === undefined ? one : cheaper(one, other);
      };
    };
}

function cheaper<E extends Candidate>(first: E, second: E): E {
  const margin = first.weight === second.weight ? 1 : CLEARLY_CHEAPER;
  return second.cost() < first.cost() * margin ? second : first;
}

function lowestReluctance(candidates: readonly Candidate[], context: PickContext): number {
  let lowest = 3;
  for (const candidate of candidates) lowest = Math.min(lowest, reluctance(candidate, context));
  return lowest;
}

/** One of those with this reluctance, except `taken`, by weight; `chance` is in [0, 1). */
function drawAmong<E extends Candidate>(
  candidates: readonly E[],
  context: PickContext,
  rank: number,
  taken: E | undefined,
  chance: number,
): E | undefined {
  const eligible = (candidate: E) => candidate !== taken && reluctance(candidate, context) === rank;
  let total = 0;
  for (const candidate of candidates) if (eligible(candidate)) total += candidate.weight;
  let left = chance * total;
  let last: E | undefined;
  for (const candidate of candidates) {
    if (!eligible(candidate)) continue;
    last = candidate;
    left -= candidate.weight;
    if (left < 0) break;
  }
  return last;
}

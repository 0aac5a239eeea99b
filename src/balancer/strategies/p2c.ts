/**
 * The cheaper of two drawn at random ("power of two choices", Mitzenmacher 1996; Finagle's `P2CPick.scala`).
 *
 * Why not the cheapest of all: whoever looks best for a moment, because it is new or fails at once, would get every call of
 * every client. Of two it gets at most two in N. And the cost of a pick does not grow with the set.
 *
 * Both are drawn from those that should get the call, by drawing again, so that a set with a dead endpoint is balanced as
 * well as one without. They are never the same: with replacement, as in Envoy and gRFC A48, even a frozen endpoint is picked
 * whenever it is drawn against itself, of three at every ninth call. Of two that cost the same it is the first, which chance
 * has drawn.
 *
 * A candidate is drawn as often as its weight says, and compared by a cost that has its load divided by the weight. The
 * first makes the weights hold while nobody is busy, the second under load.
 */
import { refuseArguments } from "../../check-kind.js";
import { integerSource, type Random } from "../../random.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightReader } from "../weight.js";
import { weightedDraw } from "./weighted-draw.js";

/** With a third of the set unusable, one pick in five hundred needs a look at all. */
const DRAWS = 8;
/**
 * Where the draw decides unless the second costs less than half:
 *
 * - Between two that are idle. By a strict comparison the fastest endpoint of a quiet client takes every call that comes alone:
 *   of servers that answer in 10, 10.5 and 11 ms the last would get none, and one whose first answer was slow none for half a
 *   minute. Who has calls in progress is compared strictly, for there half a call is as good as one.
 * - Between different weights, or of two endpoints the faster would get all calls by a hair, whatever the weights. And the
 *   peaks of a heavy one are higher than those of a light one that is as fast, for being more. With three quarters, a light
 *   one got up to 2.3 times its share.
 */
const CLEARLY_CHEAPER = 0.5;

export function p2c(...none: []): Strategy {
  refuseArguments("p2c()", none);
  return ({ random }) => {
    const below = integerSource(random);
    return <E extends Candidate>(candidates: readonly E[]) => {
      if (candidates.length < 2) return () => candidates[0];
      const weightOf = weightReader(candidates);
      const draw = weightedDraw(candidates, weightOf, below);
      return (context: PickContext): E | undefined => {
        let first: E | undefined;
        for (let n = 0; n < DRAWS; n += 1) {
          const drawn = draw();
          if (drawn === first || reluctance(drawn, context) > 0) continue;
          if (first !== undefined) return cheaper(first, drawn);
          first = drawn;
        }
        return drawnFromAll(candidates, context, weightOf, random);
      };
    };
  };
}

function cheaper<E extends Candidate>(first: E, second: E): E {
  const idle = first.pending === 0 && second.pending === 0;
  const margin = idle || first.weight !== second.weight ? CLEARLY_CHEAPER : 1;
  return second.cost() < first.cost() * margin ? second : first;
}

/**
 * The same draw in one look at everybody, for sets of which few should get the call: each comes after an exponentially
 * distributed time at the rate of its weight, and the first two are taken (Efraimidis and Spirakis 2006).
 */
function drawnFromAll<E extends Candidate>(
  candidates: readonly E[],
  context: PickContext,
  weightOf: (candidate: E) => number,
  random: Random,
): E | undefined {
  let lowest = Number.POSITIVE_INFINITY;
  let first: E | undefined;
  let second: E | undefined;
  let firstAt = 0;
  let secondAt = 0;
  for (const candidate of candidates) {
    const rank = reluctance(candidate, context);
    if (rank > lowest) continue;
    if (rank < lowest) {
      lowest = rank;
      first = undefined;
      second = undefined;
    }
    const at = -Math.log(1 - random()) / weightOf(candidate);
    if (first === undefined || at < firstAt) {
      [second, secondAt] = [first, firstAt];
      [first, firstAt] = [candidate, at];
    } else if (second === undefined || at < secondAt) {
      [second, secondAt] = [candidate, at];
    }
  }
  return first === undefined || second === undefined ? first : cheaper(first, second);
}

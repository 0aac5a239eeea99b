/**
 * Each candidate in turn, whatever its weight.
 *
 * A counter modulo the size would jump at every change of the set, start all clients on the same candidate, and give the
 * successor of a skipped one a double share. So the turn is a place in the list: it starts at random, moves on to behind
 * whoever was picked, and at a change stays with whoever was next and is still there.
 */
import { refuseArguments } from "../../check-kind.js";
import { randomInteger } from "../../random.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, Distributor, PickContext, Strategy } from "../strategy.js";

export function roundRobin(...none: []): Strategy {
  refuseArguments("roundRobin()", none);
  return ({ random }) => {
    let before: readonly Candidate[] = [];
    let turn = 0;

    const takeOver = (candidates: readonly Candidate[]) => {
      const next = before[turn];
      // Nearly always the next one is still there, and of ten thousand addresses no table is needed.
      const place = next === undefined ? -1 : candidates.indexOf(next);
      turn = place >= 0 ? place : (heirOf(before, turn, candidates) ?? randomInteger(random, candidates.length));
      before = candidates;
    };

    const distribute: Distributor = <E extends Candidate>(candidates: readonly E[]) => {
      takeOver(candidates);
      return (context: PickContext): E | undefined => {
        let bestPlace = -1;
        let best = 4;
        for (let step = 0; step < candidates.length && best > 0; step += 1) {
          const place = turn + step < candidates.length ? turn + step : turn + step - candidates.length;
          const candidate = candidates[place];
          const rank = candidate === undefined ? 4 : reluctance(candidate, context);
          if (rank < best) {
            best = rank;
            bestPlace = place;
          }
        }
        if (bestPlace < 0) return undefined;
        turn = (bestPlace + 1) % candidates.length;
        return candidates[bestPlace];
      };
    };
    return distribute;
  };
}

/** Where the first of those stands now whose turn it was from `turn` on. */
function heirOf(before: readonly Candidate[], turn: number, candidates: readonly Candidate[]): number | undefined {
  const places = new Map(candidates.map(({ address }, place) => [address, place]));
  const heir = [...before.slice(turn), ...before.slice(0, turn)].find(({ address }) => places.has(address));
  return heir && places.get(heir.address);
}

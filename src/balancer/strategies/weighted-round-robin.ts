/**
 * Turns in proportion to the weights, evenly spread: earliest deadline first (Envoy's round robin, gRFC A58).
 *
 * Each candidate has a deadline in a time of the strategy's own. The earliest takes the call, and its next one is 1/weight
 * later. This is exact for every ratio of weights, costs O(log n), and a candidate that is not picked loses its turn and
 * nothing else: its successor comes at its own deadline as before, and on its return it has nothing to catch up with. nginx's
 * smooth weights cost O(n) a pick; gRFC A58's static stride needs no heap, but visits a light candidate as often as a heavy
 * one, so that it has to clip what is ten times the mean.
 */
import { refuseArguments } from "../../check-kind.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightReader } from "../weight.js";

interface Turn {
  deadline: number;
  /** By which the deadline was set. */
  weight: number;
  /** Of the candidate in its set. */
  place: number;
}

type WeightOf = (candidate: Candidate) => number;

/** A candidate whose weight is not above 0 counts as the mean of the others; where fewer than two have one, all are equal. */
export function weightedRoundRobin(...none: []): Strategy {
  refuseArguments("weightedRoundRobin()", none);
  return ({ random }) => {
    let now = 0;
    let turns = new Map<string, Turn>();

    /** Who stayed keeps how much of a turn it has waited; who joins comes somewhere in its first, so that clients differ. */
    const takeOver = (candidates: readonly Candidate[], weightOf: WeightOf): Turn[] => {
      const before = turns;
      turns = new Map();
      const heap = candidates.map((candidate, place) => {
        const weight = weightOf(candidate);
        const known = before.get(candidate.address);
        const rest = known === undefined ? random() : (known.deadline - now) * known.weight;
        const turn = { deadline: now + rest / weight, weight, place };
        turns.set(candidate.address, turn);
        return turn;
      });
      for (let at = (heap.length >> 1) - 1; at >= 0; at -= 1) siftDown(heap, at);
      return heap;
    };

    return <E extends Candidate>(candidates: readonly E[]) => {
      const weightOf = weightReader(candidates);
      let heap: Turn[] | undefined; // made by the first pick: of a burst of updates only the last one costs
      return (context: PickContext): E | undefined => {
        heap ??= takeOver(candidates, weightOf);
        const best = lowestReluctance(heap, candidates, context);
        for (let turn = heap[0]; turn !== undefined; turn = heap[0]) {
          const candidate = candidates[turn.place];
          if (candidate === undefined) return undefined;
          now = turn.deadline;
          turn.weight = weightOf(candidate); // read anew: it may grow while a slow start goes on
          turn.deadline += 1 / turn.weight;
          siftDown(heap, 0);
          if (reluctance(candidate, context) <= best) return candidate;
        }
        return undefined;
      };
    };
  };
}

/** Nearly always that of the first, which is whose turn it is. */
function lowestReluctance(heap: readonly Turn[], candidates: readonly Candidate[], context: PickContext): number {
  let best = 4;
  for (let at = 0; at < heap.length && best > 0; at += 1) {
    const candidate = candidates[heap[at]?.place ?? -1];
    if (candidate !== undefined) best = Math.min(best, reluctance(candidate, context));
  }
  return best;
}

/** Moves the turn at `at` down to where none below it is due earlier. */
function siftDown(heap: Turn[], at: number): void {
  const turn = heap[at];
  if (turn === undefined) return;
  let hole = at;
  for (;;) {
    let child = 2 * hole + 1;
    let least = heap[child];
    if (least === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && right.deadline < least.deadline) {
      least = right;
      child += 1;
    }
    if (turn.deadline <= least.deadline) break;
    heap[hole] = least;
    hole = child;
  }
  heap[hole] = turn;
}

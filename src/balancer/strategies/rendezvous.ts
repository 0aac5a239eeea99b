/**
 * One key, one endpoint, by the highest score (rendezvous or highest random weight hashing, Thaler and Ravishankar 1998;
 * weighted as by Schindelhauer and Schomaker). Each candidate has a score of its own for each key. Shares are exact by weight,
 * nothing is built, and who joins or leaves, or changes its weight, moves no key but its own. A pick looks at every candidate:
 * up to some hundreds of them it is the best of the strategies that hash.
 */
import { hash, mix32 } from "../../hash.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { type HashingOptions, identityOf } from "../hashing/identity.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightReader } from "../weight.js";

export interface RendezvousOptions extends HashingOptions {}

const KNOWN: Readonly<Record<keyof RendezvousOptions, true>> = { identity: true };

export function rendezvous(options: RendezvousOptions = {}): Strategy {
  refuseUnknownOptions("rendezvous()", options, KNOWN);
  const { identity } = options;
  return ({ random }) =>
    <E extends Candidate>(candidates: readonly E[]) => {
      const weightOf = weightReader(candidates);
      let hashes: Float64Array | undefined; // made by the first pick: of a burst of updates only the last one costs
      return (context: PickContext): E | undefined => {
        const { hashKey } = context;
        hashes ??= Float64Array.from(candidates, (candidate) => hash(identityOf(candidate, identity), 1));
        const low = hashKey === undefined ? random() * 2 ** 32 : hash(hashKey, 1);
        const high = hashKey === undefined ? random() * 2 ** 32 : hash(hashKey, 2);
        let chosen: E | undefined;
        let best = 4;
        let bestScore = 0;
        for (let at = 0; at < candidates.length; at += 1) {
          const candidate = candidates[at];
          if (candidate === undefined) continue;
          const rank = reluctance(candidate, context);
          if (rank > best) continue;
          // Of two seeds, so that two keys whose first hashes are alike have nothing else in common.
          const drawn = mix32(mix32((hashes[at] ?? 0) ^ low) ^ high);
          const score = Math.log((drawn + 0.5) / 2 ** 32) / weightOf(candidate);
          if (rank < best || score > bestScore) {
            chosen = candidate;
            best = rank;
            bestScore = score;
          }
        }
        return chosen;
      };
    };
}

/**
 * One key, one endpoint, by a ring (Karger's consistent hashing; Envoy's and gRPC's `ring_hash`). Each candidate has points on
 * a ring, and a key belongs to the first point behind its own. Who joins takes keys, who leaves gives them away, and no other
 * key moves.
 *
 * For that, a candidate's number of points is its own: it depends on its weight, relative to the mean, and not on how many
 * others there are. Envoy and gRPC set the size of the whole ring, so that each who joins takes points, and with them keys, from
 * all the others. Here it does so only where it changes the mean weight or the ring is as large as it may be; then about as
 * many keys move beside its own. A ring shares less evenly than a table: with 160 points each, the fullest of a hundred has
 * 1.3 times its share.
 */
import { checkWholeNumber } from "../../check-number.js";
import { hash } from "../../hash.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { randomInteger } from "../../random.js";
import type { HashingOptions } from "../hashing/identity.js";
import { NO_RING, placeOf, type Ring, updatedRing } from "../hashing/ring.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";

export interface RingHashOptions extends HashingOptions {
  /**
   * The points of an endpoint of mean weight; default 160, as in ketama. More share better: with 1,000 the fullest of a
   * hundred has 1.1 times its share. (Envoy and gRPC set the whole ring's size, `minimum_ring_size`.)
   */
  readonly virtualNodes?: number | undefined;
  /**
   * About how many points all have together at most; default 262,144. More than 1,638 endpoints share them, and each has at
   * least one. It bounds memory (8 bytes a point) and what an update costs. (Envoy: `maximum_ring_size`; gRPC:
   * `max_ring_size`.)
   */
  readonly maxRingSize?: number | undefined;
}

const DEFAULTS = { virtualNodes: 160, maxRingSize: 262_144 };

const KNOWN: Readonly<Record<keyof RingHashOptions, true>> = { virtualNodes: true, maxRingSize: true, identity: true };

export function ringHash(options: RingHashOptions = {}): Strategy {
  refuseUnknownOptions("ringHash()", options, KNOWN);
  const { virtualNodes = DEFAULTS.virtualNodes, maxRingSize = DEFAULTS.maxRingSize, identity } = options;
  checkWholeNumber("virtualNodes", virtualNodes, 1);
  checkWholeNumber("maxRingSize", maxRingSize, 1);
  return ({ random }) => {
    let latest: Ring = NO_RING;
    return <E extends Candidate>(candidates: readonly E[]) => {
      let ring: Ring | undefined; // made by the first pick: of a burst of updates only the last one costs
      return (context: PickContext): E | undefined => {
        if (ring === undefined)
          ring = latest = updatedRing(latest, candidates, { virtualNodes, maxRingSize, identity });
        const { hashKey } = context;
        // A point at random, for a place at random would go by the gaps between them.
        const size = ring.positions.length;
        const start = hashKey === undefined ? randomInteger(random, size) : placeOf(ring, hash(hashKey));
        return ring.circle.pick(start, candidates, context);
      };
    };
  };
}

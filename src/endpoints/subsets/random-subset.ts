/**
 * Some instances at random, others for each client (gRFC A68). Every address has a rank, its hash with a seed of the client's
 * own, and the client connects to the lowest. So an instance that comes or goes changes at most one entry of a subset, and
 * nobody has to know how many clients there are. How many clients an instance gets is left to chance: of a hundred
 * clients of a hundred servers with five connections each, one server has one and another has nine.
 */
import { checkWholeNumber } from "../../check-number.js";
import { hash } from "../../hash.js";
import type { Instance } from "../../instance.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { randomInteger } from "../../random.js";
import { chosenFrom, MOST_REPLACED, openAddresses, type Subset } from "./subset.js";

export interface RandomSubsetOptions {
  /**
   * How many instances a client connects to; default 20. With more, load is spread more evenly, and it is less likely that
   * all of a subset fail together. (gRPC: `subset_size`, which has no default.)
   */
  readonly size?: number | undefined;
  /** A whole number, another for each client; default: a random one. With the same, a client has its subset again after a restart. */
  readonly seed?: number | undefined;
}

const DEFAULTS = { size: 20 };

const KNOWN: Readonly<Record<keyof RandomSubsetOptions, true>> = { size: true, seed: true };

export function randomSubset(options: RandomSubsetOptions = {}): Subset {
  refuseUnknownOptions("randomSubset()", options, KNOWN);
  const size = options.size ?? DEFAULTS.size;
  checkWholeNumber("size", size, 1);
  if (options.seed !== undefined) checkWholeNumber("seed", options.seed, 0);
  return (membership, { random, unready }) => {
    const seed = options.seed ?? randomInteger(random, 2 ** 32);
    return chosenFrom(membership, (instances) => lowestRanked(instances, size, seed, unready.current), [unready]);
  };
}

/** The `size` lowest that can be reached, and those below them that cannot. */
export function lowestRanked(
  instances: readonly Instance[],
  size: number,
  seed: number,
  unready: ReadonlySet<string>,
): readonly Instance[] {
  const addresses = openAddresses(instances);
  if (addresses.length <= size) return instances;
  const ranked = addresses
    .map((address) => ({ address, rank: hash(address, seed) }))
    .sort((a, b) => a.rank - b.rank || (a.address < b.address ? -1 : 1));
  const chosen = new Set<string>();
  let reachable = 0;
  for (const { address } of ranked) {
    if (reachable === size || chosen.size - reachable > MOST_REPLACED) break;
    chosen.add(address);
    if (!unready.has(address)) reachable += 1;
  }
  return instances.filter(({ address, draining }) => draining || chosen.has(address));
}

/**
 * A part of the instances for each client, such that every instance gets the same load (Finagle: deterministic aperture).
 *
 * Servers stand on a ring, each with an arc as long as its weight, and so do the clients, in their own order. A client
 * connects to the servers on its stretch of the ring, which begins where the client stands and is a whole number of clients
 * long: so every point of the ring lies in equally many stretches. A server at the edge, of which a stretch covers a
 * part, has that part of its weight for this client. The load is then equal by construction, under a strategy that heeds
 * weights: the default does, and `weightedRoundRobin()`; `roundRobin()` and `random()` do not.
 *
 * For this a client has to know its place among its peers; while it does not, it has a random subset.
 */
import { checkWholeNumber } from "../../check-number.js";
import { RollcallError } from "../../errors.js";
import type { Instance, Membership } from "../../instance.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { cell, type Live } from "../../live.js";
import { randomInteger } from "../../random.js";
import { lowestRanked } from "./random-subset.js";
import { chosenFrom, MOST_REPLACED, type Subset } from "./subset.js";

/** A client's place among the clients of a service: `index` from 0 to `count` - 1, in an order that all of them share. */
export interface AperturePeers {
  readonly index: number;
  readonly count: number;
}

export interface ApertureOptions {
  /**
   * Which of how many clients this one is: as numbers, or live, as `peersIn()` gives it for clients that are themselves
   * registered. (Finagle: `ProcessCoordinate`.)
   */
  readonly peers: AperturePeers | Live<AperturePeers | undefined>;
  /**
   * How many instances a client connects to at least; default 12. With fewer, instances at the edge get more than their part
   * from strategies that compare two, and it is more likely that all of them fail together. (Finagle: the minimum, 12.)
   */
  readonly size?: number | undefined;
}

const DEFAULTS = { size: 12 };
/** Of a weight: less is an error of rounding where two arcs meet. */
const NOTHING = 1e-9;

const KNOWN: Readonly<Record<keyof ApertureOptions, true>> = { peers: true, size: true };

export function aperture(options: ApertureOptions): Subset {
  refuseUnknownOptions("aperture()", options, KNOWN);
  const size = options.size ?? DEFAULTS.size;
  checkWholeNumber("size", size, 1);
  const { peers } = options;
  if (typeof peers !== "object" || peers === null) {
    throw new RollcallError("INVALID_ARGUMENT", "aperture() needs `peers`: { index, count }, or what peersIn() gives");
  }
  if ("index" in peers) checkPeers(peers);
  const live = "index" in peers ? cell<AperturePeers | undefined>(peers) : peers;
  return (membership, { random, unready }) => {
    const seed = randomInteger(random, 2 ** 32);
    const choose = (instances: readonly Instance[]) =>
      live.current === undefined
        ? lowestRanked(instances, size, seed, unready.current)
        : stretch(instances, size, live.current, unready.current);
    return chosenFrom(membership, choose, [live, unready]);
  };
}

/** The place of the instance `id` among all of `membership`, for as long as that lives; unknown while it is not there. */
export function peersIn(membership: Live<Membership>, id: string): Live<AperturePeers | undefined> {
  const placeIn = (view: Membership): AperturePeers | undefined => {
    if (view.state === "pending") return undefined;
    const index = view.instances.findIndex((instance) => instance.id === id);
    return index < 0 ? undefined : { index, count: view.instances.length };
  };
  const peers = cell<AperturePeers | undefined>(undefined, (a, b) => a?.index === b?.index && a?.count === b?.count);
  membership.subscribe((view) => peers.set(placeIn(view)));
  return peers;
}

/** The instances on the stretch of one client, each with the part of its weight that lies there. */
function stretch(
  instances: readonly Instance[],
  size: number,
  { index, count }: AperturePeers,
  unready: ReadonlySet<string>,
): readonly Instance[] {
  const arcs = arcsOf(instances);
  if (arcs.size <= size) return instances;
  let total = 0;
  for (const arc of arcs.values()) total += arc;
  let clients = Math.ceil((size / arcs.size) * count - NOTHING);
  let wanted = 0;
  for (;;) {
    const parts = partsOn(arcs, total, (index / count) * total, Math.min(1, clients / count) * total);
    const reachable = [...parts.keys()].filter((address) => !unready.has(address)).length;
    wanted ||= parts.size;
    if (reachable >= wanted || parts.size - reachable > MOST_REPLACED || clients >= count)
      return weighed(instances, parts);
    clients = Math.ceil(clients * 1.25); // a longer stretch makes up for those that cannot be reached
  }
}

/** The length of each address's arc: its weight, or the mean of those that name one. */
function arcsOf(instances: readonly Instance[]): ReadonlyMap<string, number> {
  const said = new Map<string, number | undefined>();
  for (const { address, weight, draining } of instances) {
    if (!draining && !said.has(address)) said.set(address, weight);
  }
  const weights = [...said.values()].filter((weight) => weight !== undefined);
  const mean = weights.length === 0 ? 1 : weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  return new Map([...said].map(([address, weight = mean]) => [address, weight]));
}

/** How much of each arc lies within `length` of the ring from `from` on. */
function partsOn(
  arcs: ReadonlyMap<string, number>,
  total: number,
  from: number,
  length: number,
): ReadonlyMap<string, number> {
  const parts = new Map<string, number>();
  let start = 0;
  for (const [address, arc] of arcs) {
    const within = (begin: number) => Math.max(0, Math.min(begin + arc, from + length) - Math.max(begin, from));
    const part = within(start) + within(start + total); // the stretch may go on beyond the beginning
    if (part > NOTHING * arc) parts.set(address, part);
    start += arc;
  }
  return parts;
}

function weighed(instances: readonly Instance[], parts: ReadonlyMap<string, number>): readonly Instance[] {
  return instances.flatMap((instance) => {
    const weight = parts.get(instance.address);
    if (instance.draining) return [instance];
    return weight === undefined ? [] : [{ ...instance, weight }];
  });
}

function checkPeers({ index, count }: AperturePeers): void {
  checkWholeNumber("index of peers", index, 0);
  checkWholeNumber("count of peers", count, 1);
  if (index < count) return;
  const range = `from 0 to ${count - 1}, the count less 1`;
  throw new RollcallError("INVALID_ARGUMENT", `index of peers must be ${range}, not ${index}`);
}

/** The points of a hash ring. An update costs one pass over them: those who stayed are still sorted. */
import { hash, hashFraction, mix32 } from "../../hash.js";
import type { Candidate } from "../strategy.js";
import { weightReader } from "../weight.js";
import { Circle } from "./circle.js";
import { identityOf } from "./identity.js";

export interface Ring {
  /** Of all points, ascending, from 0 up to 2^32 - 1. */
  readonly positions: Uint32Array;
  /** Their owners, and the way on from a point. */
  readonly circle: Circle;
  readonly members: ReadonlyMap<string, Member>;
}

/** A candidate on the ring, by its address. */
interface Member {
  readonly identity: string;
  readonly points: number;
  /** In its set. */
  readonly place: number;
}

export interface RingShape {
  readonly virtualNodes: number;
  readonly maxRingSize: number;
  readonly identity: string | undefined;
}

export const NO_RING: Ring = {
  positions: new Uint32Array(0),
  circle: new Circle(new Int32Array(0), 0),
  members: new Map(),
};

/** The ring of `candidates`: the points of `before` whose owner is as it was, and new ones for all others. */
export function updatedRing(before: Ring, candidates: readonly Candidate[], shape: RingShape): Ring {
  const members = membersOf(candidates, shape);
  const stayed = new Int32Array(before.members.size).fill(-1); // by the place before, the place now
  const fresh: Member[] = [];
  let size = 0;
  for (const [address, member] of members) {
    const known = before.members.get(address);
    if (known?.identity === member.identity && known.points === member.points) stayed[known.place] = member.place;
    else fresh.push(member);
    size += member.points;
  }
  return { members, ...merged(before, stayed, sortedPoints(fresh), size, candidates.length) };
}

/** The first point that is not before `position`. */
export function placeOf({ positions }: Ring, position: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((positions[middle] ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low === positions.length ? 0 : low;
}

/**
 * When the mean weight changes, or more endpoints share what a ring has at most, everybody is due a little more or less than
 * before. Were that rounded alike for all, now and then one who joins would cost all the others a point. Each rounds in a
 * place of its own, so that of every change some lose a point or win one, and no change moves many keys.
 */
function membersOf(candidates: readonly Candidate[], { virtualNodes, maxRingSize, identity }: RingShape) {
  const weights = candidates.map(weightReader(candidates));
  const mean = weights.reduce((total, weight) => total + weight, 0) / weights.length;
  const perMean = Math.min(virtualNodes, maxRingSize / weights.length);
  const members = new Map<string, Member>();
  for (const [place, candidate] of candidates.entries()) {
    const name = identityOf(candidate, identity);
    const due = ((weights[place] ?? mean) / mean) * perMean;
    const points = Math.max(1, Math.floor(due + hashFraction(name, 3)));
    members.set(candidate.address, { identity: name, points, place });
  }
  return members;
}

/** A number sorts faster than an object: what stands behind the position is the owner's place. */
const PLACES = 2 ** 20;

function sortedPoints(members: readonly Member[]): Float64Array {
  const points = new Float64Array(members.reduce((sum, member) => sum + member.points, 0));
  let at = 0;
  for (const member of members) {
    const start = hash(member.identity, 1);
    const step = hash(member.identity, 2) | 1;
    for (let n = 0; n < member.points; n += 1) {
      points[at] = mix32(start + Math.imul(n, step)) * PLACES + member.place;
      at += 1;
    }
  }
  return points.sort();
}

/** The points of `before` whose owners stayed, and `fresh` between them. Plain loops: it runs over every point. */
function merged(before: Ring, stayed: Int32Array, fresh: Float64Array, size: number, candidates: number) {
  const positions = new Uint32Array(size);
  const owners = new Int32Array(size);
  const old = before.positions;
  const oldOwners = before.circle.owners;
  let from = 0;
  let next = 0;
  for (let at = 0; at < size; ) {
    const owner = from < old.length ? (stayed[oldOwners[from] ?? 0] ?? -1) : -1;
    if (from < old.length && owner < 0) {
      from += 1;
      continue;
    }
    const position = old[from] ?? 0;
    const point = fresh[next];
    if (point === undefined || (owner >= 0 && position * PLACES + owner < point)) {
      positions[at] = position;
      owners[at] = owner;
      from += 1;
    } else {
      positions[at] = Math.floor(point / PLACES);
      owners[at] = point % PLACES;
      next += 1;
    }
    at += 1;
  }
  return { positions, circle: new Circle(owners, candidates) };
}

import { describe, expect, it } from "vitest";
import { mix32 } from "../../hash.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { NO_RING, placeOf, type Ring, type RingShape, updatedRing } from "./ring.js";

const HOSTS = Array.from({ length: 100 }, (_, n) => `10.0.${n}.7:50051`);
const shape = (virtualNodes: number, maxRingSize = 262_144): RingShape => ({
  virtualNodes,
  maxRingSize,
  identity: undefined,
});
const ringOf = (hosts: readonly string[], form: RingShape) => updatedRing(NO_RING, manualCandidates(hosts), form);
const points = ({ positions, circle }: Ring) => [...positions].map((position, n) => [position, circle.owners[n]]);

/** What the fullest has of the ring, in shares. */
function fullest({ positions, circle, members }: Ring): number {
  const arcs = new Array<number>(members.size).fill(0);
  const { owners } = circle;
  for (const [n, position] of positions.entries()) arcs[owners[n]!]! += position - (positions[n - 1] ?? 0);
  arcs[owners[0]!]! += 2 ** 32 - positions.at(-1)!;
  return Math.max(...arcs) / (2 ** 32 / members.size);
}

describe("a ring", () => {
  // Of a hundred endpoints; the figures are those of random points: 1.31, 1.29 and 1.095.
  it.each([
    [100, 1.2, 1.4],
    [160, 1.15, 1.33],
    [1_000, 1.05, 1.12],
  ])("of %d points each gives the fullest between %d and %d of its share", (virtualNodes, least, most) => {
    const share = fullest(ringOf(HOSTS, shape(virtualNodes)));
    expect(share).toBeGreaterThan(least);
    expect(share).toBeLessThan(most);
  });

  it("that followed many updates is the one that would be built anew", () => {
    let ring = NO_RING;
    for (let n = 0; n < 60; n += 1) {
      const hosts = HOSTS.filter((_, host) => (host * 7 + n) % 11 > n % 5);
      const candidates = manualCandidates(hosts);
      candidates[n % 10]!.weight = 1 + (n % 3);
      ring = updatedRing(ring, candidates, shape(16));
      expect(points(ring)).toEqual(points(updatedRing(NO_RING, candidates, shape(16))));
    }
  });

  it("has as many points of an endpoint as its weight says, to a point", () => {
    const candidates = manualCandidates(HOSTS, { weight: 100 });
    for (const [n, one] of candidates.entries()) one.weight = 50 + (n % 4) * 50; // the mean is 125
    const { members } = updatedRing(NO_RING, candidates, shape(160));
    for (const { address, weight } of candidates) {
      expect(Math.abs(members.get(address)!.points - (160 * weight) / 125)).toBeLessThan(1);
    }
  });

  it.each([
    ["passes the maximum of points", 1_000, shape(16, 16_000), () => 1],
    ["passes twice the number of endpoints for it", 2_000, shape(16, 16_000), () => 1],
    ["brings the mean weight past the root of two", 40, shape(160), (n: number) => (n < 20 ? 1 : 1.82)],
  ])("moves, when an endpoint that joins %s, few keys beside its own", (_, count, form, weightOf) => {
    const hosts = Array.from({ length: count + 1 }, (__, n) => `10.1.${n >> 8}.${n & 255}:80`);
    const set = manualCandidates(hosts);
    for (const [n, one] of set.entries()) one.weight = weightOf(n);
    const owners = (ring: Ring) =>
      Array.from({ length: 10_000 }, (__, key) => ring.circle.owners[placeOf(ring, mix32(key))]);
    const before = owners(updatedRing(NO_RING, set.slice(0, count), form));
    const after = owners(updatedRing(NO_RING, set, form));
    const own = after.filter((owner) => owner === count).length;
    const others = after.filter((owner, key) => owner !== before[key]).length - own;
    expect(others).toBeLessThan(own + 20);
  });

  it("does not outgrow its maximum by more than one in a hundred while each has more than one point", () => {
    expect(ringOf(HOSTS, shape(160, 5_000)).positions.length).toBe(5_000);
    expect(Math.abs(ringOf(HOSTS, shape(160, 1_234)).positions.length - 1_234)).toBeLessThan(12);
    expect(ringOf(HOSTS, shape(160, 10)).positions.length).toBe(100);
  });
});

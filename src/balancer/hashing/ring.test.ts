import { describe, expect, it } from "vitest";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { NO_RING, type Ring, type RingShape, updatedRing } from "./ring.js";

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

  it("has as many points of an endpoint as its weight says, in units that a joiner seldom changes", () => {
    const candidates = manualCandidates(HOSTS.slice(0, 4), { weight: 100 });
    candidates[1]!.weight = 50;
    candidates[2]!.weight = 200;
    const count = (ring: Ring) => [...ring.members.values()].map((member) => member.points);
    expect(count(updatedRing(NO_RING, candidates, shape(160)))).toEqual([125, 63, 250, 125]);
    const joined = [...candidates, ...manualCandidates(HOSTS.slice(4, 6), { weight: 130 })];
    expect(count(updatedRing(NO_RING, joined, shape(160)))).toEqual([125, 63, 250, 125, 163, 163]);
  });

  it("does not outgrow its maximum while each has more than one point", () => {
    expect(ringOf(HOSTS, shape(160, 5_000)).positions.length).toBe(4_000);
    expect(ringOf(HOSTS, shape(160, 10)).positions.length).toBe(100);
  });
});

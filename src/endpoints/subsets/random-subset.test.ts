import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Instance } from "../../instance.js";
import { cell } from "../../live.js";
import { seededRandom } from "../../random.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { aperture } from "./aperture.js";
import { lowestRanked, type RandomSubsetOptions, randomSubset } from "./random-subset.js";
import { subsetEndpoints } from "./subset-endpoints.js";

const NONE: ReadonlySet<string> = new Set();
const server = (n: number): Instance => ({ id: `k${String(n).padStart(4, "0")}`, address: `10.0.0.1:${n}` });
const servers = (count: number) => Array.from({ length: count }, (_, n) => server(n));
const addresses = (instances: readonly Instance[]) => new Set(instances.map(({ address }) => address));

describe("randomSubset", () => {
  it("changes at most one entry when an instance comes or goes, and none but that", () => {
    const set = fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(set, fc.integer({ min: 1, max: 20 }), fc.nat(), (numbers, size, seed) => {
        const all = numbers.map(server);
        const [gone, ...rest] = all;
        const before = addresses(lowestRanked(all, size, seed, NONE));
        const after = addresses(lowestRanked(rest, size, seed, NONE));
        expect(before.size).toBe(Math.min(size, all.length));
        expect(after.size).toBe(Math.min(size, rest.length));
        const lost = [...before].filter((address) => !after.has(address));
        const won = [...after].filter((address) => !before.has(address));
        expect(won.length).toBeLessThanOrEqual(1);
        expect(lost).toEqual(before.has(gone!.address) ? [gone!.address] : []);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("gives a hundred servers of a hundred clients about as many connections as chance does", () => {
    const connections = new Map<string, number>();
    for (let client = 0; client < 100; client += 1) {
      for (const { address } of lowestRanked(servers(100), 25, client, NONE)) {
        connections.set(address, (connections.get(address) ?? 0) + 1);
      }
    }
    const counts = [...connections.values()];
    const sd = Math.sqrt(counts.reduce((sum, count) => sum + (count - 25) ** 2, 0) / 100);
    expect(sd).toBeGreaterThan(3);
    expect(sd).toBeLessThan(5.5); // of a binomial 4.3
  });

  it("says the same as the registry of everything else, and takes its view as a whole while that is small", () => {
    const membership = manualMembership();
    const view = randomSubset({ size: 2, seed: 1 })(membership, { random: seededRandom(1), unready: cell(NONE) });
    expect(view.current).toEqual({ state: "pending" });
    const told: number[] = [];
    const subscription = view.subscribe((now) => told.push(now.state === "pending" ? -1 : now.instances.length));
    membership.live(server(1), server(2));
    membership.live(...servers(9));
    expect(view.current).toMatchObject({ state: "live", revision: 2n });
    membership.stale();
    expect(view.current).toMatchObject({ state: "stale", revision: 2n });
    expect(told).toEqual([-1, 2, 2, 2]);
    subscription[Symbol.dispose]();
    membership.live();
    expect(told).toHaveLength(4);
  });

  it("connects to its subset only, brings others in for those that cannot be reached, and lets them go again", async () => {
    const clock = virtualClock();
    const membership = manualMembership();
    const connections = manualConnections((address) => address);
    const options = { clock, random: seededRandom(1) };
    await using endpointer = subsetEndpoints(membership, randomSubset({ size: 3 }), connections.connect, options);
    membership.live(...servers(20));
    const first = endpointer.current.map(({ address }) => address);
    expect(first).toHaveLength(3);
    for (const address of first) connections.to(address).status.set("failing");
    expect(endpointer.availability.current).toMatchObject({ total: 6, ready: 3 });
    for (const address of first) connections.to(address).status.set("ready");
    expect(endpointer.current.map(({ address }) => address)).toEqual(first);
  });

  it("does not connect to everybody when nobody can be reached", async () => {
    const clock = virtualClock();
    const membership = manualMembership();
    const connections = manualConnections((address) => address, { initially: "failing" });
    const options = { clock, random: seededRandom(1) };
    for (const subset of [randomSubset({ size: 20 }), aperture({ peers: { index: 3, count: 1_000 }, size: 20 })]) {
      await using endpointer = subsetEndpoints(membership, subset, connections.connect, options);
      membership.live(...servers(1_000));
      expect(endpointer.availability.current).toMatchObject({ ready: 0, connecting: 0 });
      expect(endpointer.availability.current.total).toBeGreaterThan(100);
      expect(endpointer.availability.current.total).toBeLessThan(150);
    }
  });

  it.each([
    [{ size: 0 }, /size.*from 1 on, not 0/],
    [{ seed: 0.5 }, /seed.*not 0.5/],
    [{ count: 5 }, /no option `count`/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => randomSubset(options as RandomSubsetOptions)).toThrow(message);
  });
});

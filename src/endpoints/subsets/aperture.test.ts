import { describe, expect, it } from "vitest";
import { tally } from "../../../test/support/candidates.js";
import { weightedRoundRobin } from "../../balancer/strategies/weighted-round-robin.js";
import type { Instance } from "../../instance.js";
import { cell } from "../../live.js";
import { seededRandom } from "../../random.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { type ApertureOptions, type AperturePeers, aperture, peersIn } from "./aperture.js";

const NONE: ReadonlySet<string> = new Set();
const servers = (count: number, weight?: (n: number) => number): Instance[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `k${String(n).padStart(4, "0")}`,
    address: `10.0.0.1:${n}`,
    ...(weight && { weight: weight(n) }),
  }));

function subsetOf(instances: readonly Instance[], options: ApertureOptions, unready = NONE) {
  const membership = manualMembership();
  membership.live(...instances);
  const view = aperture(options)(membership, { random: seededRandom(1), unready: cell(unready) });
  return view.current.state === "pending" ? [] : view.current.instances;
}

/** What each server gets of clients with one call each, and how many connect to it. */
function offered(instances: readonly Instance[], clients: number, size: number) {
  const load = new Map<string, number>();
  const connections = new Map<string, number>();
  for (let index = 0; index < clients; index += 1) {
    const chosen = subsetOf(instances, { peers: { index, count: clients }, size });
    const total = chosen.reduce((sum, { weight = 1 }) => sum + weight, 0);
    for (const { address, weight = 1 } of chosen) {
      load.set(address, (load.get(address) ?? 0) + weight / total);
      connections.set(address, (connections.get(address) ?? 0) + 1);
    }
  }
  return { load, connections: instances.map(({ address }) => connections.get(address) ?? 0) };
}

describe("aperture", () => {
  it.each([
    [100, 10, 5],
    [100, 100, 12],
    [7, 100, 12],
    [3, 40, 12],
    [250, 33, 12],
    [13, 101, 20],
  ])("offers, of %i clients, each of %i servers the same load, in apertures of %i", (clients, count, size) => {
    const { load, connections } = offered(servers(count), clients, size);
    expect(load.size).toBe(count);
    const fair = clients / count;
    for (const each of load.values()) expect(Math.abs(each / fair - 1)).toBeLessThan(1e-6);
    expect(Math.max(...connections) - Math.min(...connections)).toBeLessThanOrEqual(2);
  });

  it("offers load in proportion to weights, where servers have them", () => {
    const { load } = offered(
      servers(40, (n) => 1 + (n % 3)),
      25,
      12,
    );
    const parts = [...load].map(([address, each]) => each / (1 + (Number(address.split(":")[1]) % 3)));
    for (const part of parts) expect(part / parts[0]!).toBeCloseTo(1, 6);
  });

  it("spreads the calls themselves as evenly, within 1 %, by weighted round robin", () => {
    const counted = new Map<string, number>();
    for (let index = 0; index < 20; index += 1) {
      const chosen = subsetOf(servers(50), { peers: { index, count: 20 }, size: 12 });
      const candidates = chosen.flatMap(({ address, weight = 1 }) => manualCandidates([address], { weight }));
      const pick = weightedRoundRobin()({ clock: virtualClock(), random: seededRandom(index) })(candidates);
      for (const [address, count] of Object.entries(tally(pick, 2_500))) {
        counted.set(address, (counted.get(address) ?? 0) + count);
      }
    }
    const sd = Math.sqrt([...counted.values()].reduce((sum, count) => sum + (count / 1_000 - 1) ** 2, 0) / 50);
    expect(counted.size).toBe(50);
    expect(sd).toBeLessThan(0.01);
  });

  it("follows its peers as they come and go, and takes a random subset while it does not know them", () => {
    const callers = manualMembership();
    const membership = manualMembership();
    membership.live(...servers(100));
    const peers = peersIn(callers, "b");
    const view = aperture({ peers })(membership, { random: seededRandom(1), unready: cell(NONE) });
    const chosen = () => (view.current.state === "pending" ? [] : view.current.instances.map(({ address }) => address));
    expect(chosen()).toHaveLength(12);
    callers.live("a", "b", "c", "d");
    expect(peers.current).toEqual({ index: 1, count: 4 });
    expect(chosen()).toEqual(
      servers(100)
        .slice(25, 50)
        .map(({ address }) => address),
    );
    callers.live("b", "c");
    expect(chosen()).toEqual(
      servers(100)
        .slice(0, 50)
        .map(({ address }) => address),
    );
    callers.live("c");
    expect(chosen()).toHaveLength(12);
  });

  it("reaches further while some of its servers cannot be reached", () => {
    const peers: AperturePeers = { index: 0, count: 100 };
    const all = servers(100);
    const down = new Set(all.slice(0, 6).map(({ address }) => address));
    const reachable = subsetOf(all, { peers }, down).filter(({ address }) => !down.has(address));
    expect(reachable.length).toBeGreaterThanOrEqual(12);
    expect(subsetOf(all, { peers }, new Set(all.map(({ address }) => address)))).toHaveLength(100);
  });

  it("takes all where there are no more than it wants", () => {
    expect(subsetOf(servers(12), { peers: { index: 3, count: 9 } })).toEqual(servers(12));
  });

  it.each([
    [{}, /needs `peers`/],
    [{ peers: { index: 3, count: 3 } }, /index of peers must be from 0 to 2, the count less 1, not 3/],
    [{ peers: { index: 0, count: 3 }, size: 0 }, /size.*from 1 on, not 0/],
    [{ peers: { index: 0, count: 3 }, min: 12 }, /no option `min`/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => aperture(options as ApertureOptions)).toThrow(message);
  });
});

import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { type ManualCandidate, manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import type { Candidate, PickContext } from "../strategy.js";
import { weightedRoundRobin } from "./weighted-round-robin.js";

const NAMES = ["a", "b", "c", "d", "e"];

function weighted(...weights: number[]): ManualCandidate[] {
  return weights.map((weight, n) => manualCandidates([NAMES[n] ?? ""], { weight })[0]!);
}

function start(seed = 1) {
  return weightedRoundRobin()({ clock: virtualClock(), random: seededRandom(seed) });
}

function counts(pick: (context: PickContext) => Candidate | undefined, picks: number, context: PickContext = {}) {
  const counted: Record<string, number> = {};
  for (let n = 0; n < picks; n += 1) {
    const address = pick(context)?.address ?? "none";
    counted[address] = (counted[address] ?? 0) + 1;
  }
  return counted;
}

strategyContract({ describe, it }, { name: "weightedRoundRobin", make: weightedRoundRobin, weightTolerance: 0.002 });

describe("weightedRoundRobin", () => {
  // What the picker of @grpc/grpc-js 1.14.7 makes of the same weights stands behind each case.
  it.each([
    [[300, 300, 300, 300, 0], "0 for the one without"],
    [[2, 2, 2, 2, 0], "589 for it"],
    [[0.5, 0.5, 0.5, 0.5, 0], "5,000 for it"],
    [[300, 0, 0, 0, 0], "9,870 for the one with"],
    [[1, 1, 1, 1, Number.NaN], "not tried"],
    [[0, -1, Number.NaN, 0, Number.POSITIVE_INFINITY], "not tried"],
  ])("gives each of five with the weights %j a fifth, rebuilt after every 1,000 picks (grpc-js: %s)", (weights) => {
    const distribute = start();
    const counted: Record<string, number> = {};
    for (let round = 0; round < 10; round += 1) {
      for (const [address, count] of Object.entries(counts(distribute(weighted(...weights)), 1_000))) {
        counted[address] = (counted[address] ?? 0) + count;
      }
    }
    expect(Object.keys(counted).sort()).toEqual(NAMES);
    for (const count of Object.values(counted)) expect(Math.abs(count - 2_000)).toBeLessThanOrEqual(100);
  });

  it("gives shares in proportion to the weights, also to one a thousand times lighter", () => {
    expect(counts(start()(weighted(1_000, 500, 1)), 15_010)).toEqual({
      a: expect.closeTo(10_000, -1),
      b: expect.closeTo(5_000, -1),
      c: 10,
    });
  });

  it("spreads the turns of the heaviest evenly over its round", () => {
    const pick = start()(weighted(4, 2, 1, 1));
    const order = Array.from({ length: 800 }, () => pick({})?.address);
    for (let n = 0; n + 3 <= order.length; n += 1) expect(order.slice(n, n + 3)).toContain("a");
  });

  it("does not let clients start on the same candidate", () => {
    const firsts = Array.from({ length: 300 }, (_, seed) => start(seed)(weighted(1, 1, 1))({})?.address);
    for (const name of ["a", "b", "c"]) {
      expect(firsts.filter((first) => first === name).length).toBeGreaterThan(60);
    }
  });

  it("goes on where it was when the set is replaced by an equal one after every pick", () => {
    const distribute = start();
    const counted: Record<string, number> = {};
    for (let n = 0; n < 700; n += 1) {
      const address = distribute(weighted(4, 2, 1))({})?.address ?? "none";
      counted[address] = (counted[address] ?? 0) + 1;
    }
    expect(counted).toEqual({
      a: expect.closeTo(400, -0.5),
      b: expect.closeTo(200, -0.5),
      c: expect.closeTo(100, -0.5),
    });
  });

  it("gives one that joins its share from the first round on, and no more", () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const distribute = start(seed);
      counts(distribute(weighted(3, 3, 3, 3)), 1_000);
      expect(counts(distribute(weighted(3, 3, 3, 3, 3)), 50)).toMatchObject({ e: 10 });
    }
  });

  it("follows a weight that changes from the next turn on", () => {
    const distribute = start();
    counts(distribute(weighted(1, 1, 1)), 100);
    const counted = counts(distribute(weighted(1, 8, 1)), 100);
    expect(counted.b).toBeGreaterThanOrEqual(78);
    expect(counted.b).toBeLessThanOrEqual(82);
  });

  it("follows a weight that grows without a new set", () => {
    const set = weighted(1, 1);
    const pick = start()(set);
    set[1]!.weight = 0.25;
    counts(pick, 2);
    expect(counts(pick, 100)).toEqual({ a: expect.closeTo(80, -0.5), b: expect.closeTo(20, -0.5) });
  });

  it("does not double the load of the one after an unusable candidate, which has nothing to catch up with", () => {
    const set = weighted(1, 1, 1, 1);
    const pick = start()(set);
    counts(pick, 10);
    set[1]!.usable = false;
    expect(counts(pick, 300)).toEqual({ a: 100, c: 100, d: 100 });
    set[1]!.usable = true;
    expect(counts(pick, 40)).toEqual({ a: 10, b: 10, c: 10, d: 10 });
  });

  it("does not double the load of the one after a failing candidate whose calls are tried again elsewhere", () => {
    const pick = start()(weighted(2, 2, 2, 2));
    const served: Record<string, number> = {};
    for (let call = 0; call < 3_000; call += 1) {
      const first = pick({})?.address ?? "";
      const last = first === "b" ? (pick({ exclude: new Set(["b"]) })?.address ?? "") : first;
      served[last] = (served[last] ?? 0) + 1;
    }
    for (const count of Object.values(served)) expect(Math.abs(count - 1_000)).toBeLessThan(50);
  });

  it("has nothing to make up to one that was excluded for a while", () => {
    const pick = start()(weighted(1, 1, 1, 1));
    counts(pick, 300, { exclude: new Set(["b"]) });
    expect(counts(pick, 40)).toEqual({ a: 10, b: 10, c: 10, d: 10 });
  });
});

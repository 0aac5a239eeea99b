import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { type ManualCandidate, manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { reluctance } from "../reluctance.js";
import type { PickContext, Picker } from "../strategy.js";
import { p2c } from "./p2c.js";

function start(candidates: readonly ManualCandidate[], seed = 1): Picker<ManualCandidate> {
  return p2c()({ clock: virtualClock(), random: seededRandom(seed) })(candidates);
}

function set(size: number): ManualCandidate[] {
  return manualCandidates(Array.from({ length: size }, (_, n) => `host-${n}`));
}

function counts(pick: Picker<ManualCandidate>, picks: number, context: PickContext = {}): Record<string, number> {
  const counted: Record<string, number> = {};
  for (let n = 0; n < picks; n += 1) {
    const address = pick(context)?.address ?? "none";
    counted[address] = (counted[address] ?? 0) + 1;
  }
  return counted;
}

strategyContract({ describe, it }, { name: "p2c", make: p2c, weightTolerance: 0.05 });

describe("p2c", () => {
  it("never picks the one that is dearer than all others, since the two are never the same", () => {
    for (const size of [2, 3, 10]) {
      const candidates = set(size);
      candidates[0]!.load = 1;
      expect(counts(start(candidates), 5_000)).not.toHaveProperty("host-0");
    }
  });

  it("gives the one that is cheaper than all others at most two calls in N", () => {
    const candidates = set(10);
    for (const candidate of candidates) candidate.load = 1;
    candidates[0]!.load = 0;
    expect((counts(start(candidates), 50_000)["host-0"] ?? 0) / 50_000).toBeCloseTo(2 / 10, 2);
  });

  it("keeps the fullest of 100,000 bins at five balls or fewer", () => {
    const bins = set(100_000);
    const pick = start(bins);
    for (let ball = 0; ball < bins.length; ball += 1) {
      const bin = pick({});
      if (bin) bin.load += 1;
    }
    expect(Math.max(...bins.slice(0, 50_000).map(({ load }) => load))).toBeLessThanOrEqual(5);
    expect(Math.max(...bins.slice(50_000).map(({ load }) => load))).toBeLessThanOrEqual(5);
  });

  it("gives all an equal part where all cost the same", () => {
    for (const count of Object.values(counts(start(set(5)), 50_000)))
      expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.05);
  });

  it("still takes the cheaper of two, and each as often, where few may be picked", () => {
    const candidates = set(50);
    for (const candidate of candidates.slice(3)) candidate.usable = false;
    const counted = counts(start(candidates), 15_000);
    expect(Object.keys(counted).sort()).toEqual(["host-0", "host-1", "host-2"]);
    for (const count of Object.values(counted)) expect(Math.abs(count / 5_000 - 1)).toBeLessThan(0.05);
    candidates[1]!.load = 1;
    expect(counts(start(candidates), 2_000)).not.toHaveProperty("host-1");
  });

  it("keeps to the weights among the few that may be picked", () => {
    const candidates = set(50);
    for (const candidate of candidates.slice(2)) candidate.usable = false;
    candidates[0]!.weight = 9;
    expect((counts(start(candidates), 5_000)["host-0"] ?? 0) / 5_000).toBeCloseTo(0.9, 1);
  });

  it("keeps to the weights although one is a little cheaper than the other, and not when it is far dearer", () => {
    const [light, heavy] = set(2) as [ManualCandidate, ManualCandidate];
    heavy.weight = 9;
    [light.load, heavy.load] = [100, 110];
    expect((counts(start([light, heavy]), 20_000)["host-1"] ?? 0) / 20_000).toBeCloseTo(0.9, 1);
    heavy.load = 1_000;
    expect(counts(start([light, heavy]), 1_000)).toEqual({ "host-0": 1_000 });
  });

  it("spreads calls that come alone over all that cost about the same, and none of them to one that costs twice as much", () => {
    const candidates = set(4);
    [10, 10.5, 11, 25].forEach((load, n) => {
      candidates[n]!.load = load;
    });
    const counted = counts(start(candidates), 30_000);
    expect(counted).not.toHaveProperty("host-3");
    for (const count of Object.values(counted)) expect(Math.abs(count / 10_000 - 1)).toBeLessThan(0.05);
  });

  it("takes the cheaper one by however little as soon as one of the two has a call in progress", () => {
    const [dearer, cheaper] = set(2) as [ManualCandidate, ManualCandidate];
    [dearer.load, cheaper.load] = [11, 10.5];
    dearer.pending = 1;
    expect(counts(start([dearer, cheaper]), 1_000)).toEqual({ "host-1": 1_000 });
  });

  it("picks one of the least reluctant, whatever the set and whatever was tried", () => {
    const candidate = fc.record({
      usable: fc.boolean(),
      tried: fc.boolean(),
      load: fc.nat(5),
      weight: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 12 }), fc.integer(), (standings, seed) => {
        const candidates = standings.flatMap(({ tried: _, ...traits }, n) => manualCandidates([`host-${n}`], traits));
        const exclude = new Set(standings.flatMap(({ tried }, n) => (tried ? [`host-${n}`] : [])));
        const picked = start(candidates, seed)({ exclude });
        const lowest = Math.min(...candidates.map((one) => reluctance(one, { exclude })));
        expect(picked && reluctance(picked, { exclude })).toBe(lowest);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

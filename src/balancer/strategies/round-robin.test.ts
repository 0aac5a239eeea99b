import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import type { Candidate } from "../strategy.js";
import { roundRobin } from "./round-robin.js";

const candidates = (...names: string[]) => manualCandidates(names);

function start(seed = 1) {
  return roundRobin()({ clock: virtualClock(), random: seededRandom(seed) });
}

function counts(pick: (context: object) => Candidate | undefined, picks: number): Record<string, number> {
  const counted: Record<string, number> = {};
  for (let n = 0; n < picks; n += 1) {
    const address = pick({})?.address ?? "none";
    counted[address] = (counted[address] ?? 0) + 1;
  }
  return counted;
}

strategyContract({ describe, it }, { name: "roundRobin", make: roundRobin });

describe("roundRobin", () => {
  it("spreads eight calls over three as 3, 3, 2 (go-kit 23)", () => {
    const counted = Object.values(counts(start()(candidates("a", "b", "c")), 8)).sort();
    expect(counted).toEqual([2, 3, 3]);
  });

  it("gives every candidate its turn before anyone a second one", () => {
    const pick = start()(candidates("a", "b", "c"));
    for (let round = 0; round < 5; round += 1) expect(Object.keys(counts(pick, 3))).toHaveLength(3);
  });

  it("starts somewhere else in every client (K16)", () => {
    const firsts = new Set<string | undefined>();
    for (let seed = 0; seed < 50; seed += 1) firsts.add(start(seed)(candidates("a", "b", "c"))({})?.address);
    expect(firsts).toEqual(new Set(["a", "b", "c"]));
  });

  it("goes on with whoever was next when somebody joins or leaves", () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const distribute = start(seed);
      const last = distribute(candidates("b", "d", "f"))({})?.address;
      const next = { b: "d", d: "f", f: "b" }[last ?? ""];
      const pick = distribute(candidates("a", "b", "d", "f"));
      expect(pick({})?.address).toBe(next);
    }
  });

  it("passes the turn on when the next one has left", () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const distribute = start(seed);
      const last = distribute(candidates("a", "b", "c", "d"))({})?.address ?? "";
      const names = ["a", "b", "c", "d"];
      const at = names.indexOf(last);
      const gone = names[(at + 1) % 4];
      const pick = distribute(candidates(...names.filter((name) => name !== gone)));
      expect(pick({})?.address).toBe(names[(at + 2) % 4]);
    }
  });

  it("does not double the load of the one after an unusable candidate", () => {
    const four = candidates("a", "b", "c", "d");
    four[1]!.usable = false;
    expect(counts(start()(four), 300)).toEqual({ a: 100, c: 100, d: 100 });
  });

  it("does not double the load of the one after a failing candidate when its calls are tried again elsewhere", () => {
    const pick = start()(candidates("a", "b", "c", "d"));
    const good: Record<string, number> = {};
    for (let call = 0; call < 3_000; call += 1) {
      const first = pick({})?.address ?? "";
      const last = first === "b" ? (pick({ exclude: new Set(["b"]) })?.address ?? "") : first;
      good[last] = (good[last] ?? 0) + 1;
    }
    for (const served of Object.values(good)) expect(served).toBeCloseTo(1_000, -2);
  });
});

import { describe, expect, it } from "vitest";
import { candidates, evenRandom, groupOf, tally } from "../../../test/support/candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { p2c } from "../strategies/p2c.js";
import { random } from "../strategies/random.js";
import { roundRobin } from "../strategies/round-robin.js";
import type { Candidate } from "../strategy.js";
import { type PriorityOptions, priority } from "./priority.js";

strategyContract({ describe, it }, { name: "priority of roundRobin", make: () => priority(roundRobin()) });
strategyContract({ describe, it }, { name: "priority of p2c", make: () => priority(p2c()) });
strategyContract({ describe, it }, { name: "priority of random", make: () => priority(random()) });
strategyContract(
  { describe, it },
  {
    name: "priority with each candidate in a level of its own",
    make: () => priority(roundRobin(), { level: ({ address }) => Number(address.split(".")[3]?.[0]) }),
  },
);

function start(options: PriorityOptions = {}) {
  const clock = virtualClock();
  return { clock, distribute: priority(roundRobin(), options)({ clock, random: evenRandom() }) };
}

const level = (n: number) => ({ metadata: { priority: String(n) } });

describe("priority", () => {
  it.each([
    [28, 100],
    [29, 99.4],
    [50, 70],
    [75, 35],
    [100, 0],
  ])("leaves, with %i of 100 in the first level unusable, %f %% of the calls there", (unusable, percent) => {
    const { distribute } = start();
    const set = [...candidates("p1", 5, level(1)), ...candidates("p0", 100, { ...level(0), unusable })];
    const counted = tally(distribute(set), 20_000, groupOf);
    expect(((counted.p0 ?? 0) / 20_000) * 100).toBeCloseTo(percent, 3);
    expect((counted.p0 ?? 0) + (counted.p1 ?? 0)).toBe(20_000);
  });

  // Envoy, "Panic threshold": how many of the hundred of each level are picked at all, and the part of the calls in the first.
  it.each([
    [72, 72, [72, 0], 100],
    [50, 60, [50, 60], 70],
    [25, 25, [100, 100], 50],
    [5, 65, [100, 65], 100 / 14],
  ])(
    "picks, with %i and %i %% of two levels usable and Envoy's threshold, %j of them",
    (first, second, members, part) => {
      const { distribute } = start({ panicThreshold: 0.5 });
      const p0 = candidates("p0", 100, { ...level(0), unusable: 100 - first });
      const p1 = candidates("p1", 100, { ...level(1), unusable: 100 - second });
      const counted = tally(distribute([...p0, ...p1]), 20_000);
      const callsOf = (group: readonly Candidate[]) => group.flatMap(({ address }) => counted[address] ?? []);
      expect([callsOf(p0).length, callsOf(p1).length]).toEqual(members);
      expect(callsOf(p0).reduce((sum, calls) => sum + calls, 0) / 200).toBeCloseTo(part, 0);
    },
  );

  it("counts by weight: of three, one with half of the weight is half of the level", () => {
    const { distribute } = start();
    const p0 = candidates("p0", 3, level(0));
    Object.assign(p0[0]!, { weight: 2, usable: false });
    const counted = tally(distribute([...p0, ...candidates("p1", 3, level(1))]), 20_000, groupOf);
    expect((counted.p0 ?? 0) / 20_000).toBeCloseTo(0.7, 3);
  });

  it("sends a retry to the next level when its own has nobody left, and not to the last", () => {
    const { distribute } = start();
    const set = [...candidates("p0", 1, level(0)), ...candidates("p1", 2, level(1)), ...candidates("p2", 2, level(2))];
    const counted = tally(distribute(set), 100, groupOf, () => ({ exclude: new Set(["p0-0"]) }));
    expect(counted).toEqual({ p1: 100 });
  });

  it("takes an entry that is missing or no number as the first level", () => {
    const { distribute } = start();
    const set = [
      ...candidates("silent", 1),
      ...candidates("odd", 1, { metadata: { priority: "high" } }),
      ...candidates("second", 1, level(1)),
    ];
    expect(tally(distribute(set), 100, groupOf)).toEqual({ silent: 50, odd: 50 });
  });

  it("asks a function for the level, or reads the entry that it is told", () => {
    const tier = (n: number) => ({ metadata: { tier: String(n) } });
    const set = [...candidates("second", 2, tier(1)), ...candidates("first", 2, tier(0))];
    for (const by of ["tier", ({ metadata }: Candidate) => Number(metadata?.tier)]) {
      expect(tally(start({ level: by }).distribute(set), 100, groupOf)).toEqual({ first: 100 });
    }
  });

  it("keeps a caller with a key in its level", () => {
    const { distribute } = start();
    const set = [...candidates("p0", 2, { ...level(0), unusable: 1 }), ...candidates("p1", 2, level(1))];
    const pick = distribute(set);
    const levels = new Set<string>();
    for (let user = 0; user < 50; user += 1) {
      const counted = tally(pick, 10, groupOf, () => ({ hashKey: `user ${user}` }));
      expect(Object.keys(counted)).toHaveLength(1);
      levels.add(Object.keys(counted)[0]!);
    }
    expect(levels).toEqual(new Set(["p0", "p1"]));
  });

  it("takes notice within 50 ms when a level recovers, and at once when it is lost", async () => {
    const { clock, distribute } = start();
    const p0 = candidates("p0", 2, { ...level(0), unusable: 2 });
    const pick = distribute([...p0, ...candidates("p1", 2, level(1))]);
    expect(tally(pick, 20, groupOf)).toEqual({ p1: 20 });
    for (const one of p0) one.usable = true;
    await clock.advance(50);
    expect(tally(pick, 20, groupOf)).toEqual({ p0: 20 });
    for (const one of p0) one.usable = false;
    expect(tally(pick, 20, groupOf)).toEqual({ p1: 20 });
  });

  it("does not count the candidates again for each call", async () => {
    const { clock, distribute } = start();
    let asked = 0;
    const set = candidates("p0", 1_000, level(0));
    for (const one of set) {
      Object.defineProperty(one, "usable", {
        get: () => {
          asked += 1;
          return true;
        },
      });
    }
    const pick = distribute(set);
    pick({});
    asked = 0;
    for (let n = 0; n < 49; n += 1) {
      await clock.advance(1);
      pick({});
    }
    expect(asked).toBeLessThan(49 * 3);
  });

  it("keeps the turn of a level when another changes", () => {
    const { distribute } = start();
    const p0 = candidates("p0", 4, level(0));
    const turns = [...candidates("p1", 1, level(1)), ...p0];
    const picked = [distribute(turns)({})?.address, distribute(p0)({})?.address];
    const places = picked.map((address) => p0.findIndex((one) => one.address === address));
    expect(places[1]).toBe((places[0]! + 1) % 4);
  });

  it("uses all of a level in panic, where it is asked to, and none that was tried", () => {
    const set = [
      ...candidates("p0", 20, { ...level(0), unusable: 19 }),
      ...candidates("p1", 20, { ...level(1), unusable: 7 }),
    ];
    const calm = tally(start().distribute(set), 20_000);
    expect(Object.keys(calm)).toHaveLength(1 + 13);
    const panicking = tally(start({ panicThreshold: 0.5 }).distribute(set), 20_000);
    expect(Object.keys(panicking)).toHaveLength(20 + 13);
    const exclude = new Set(["p0-0", "p0-1"]);
    const retries = tally(start({ panicThreshold: 0.5 }).distribute(set), 20_000, undefined, () => ({ exclude }));
    expect(Object.keys(retries).filter((address) => exclude.has(address))).toEqual([]);
  });

  it.each([
    [{ overprovisioning: 0.9 }, /overprovisioning.*from 1 on, not 0.9/],
    [{ panicThreshold: 50 }, /panicThreshold.*from 0 to 1, not 50/],
    [{ overprovision: 2 }, /no option `overprovision`/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => priority(roundRobin(), options as PriorityOptions)).toThrow(message);
  });
});

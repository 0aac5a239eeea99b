import { describe, expect, it } from "vitest";
import { candidates, groupOf, tally } from "../../../test/support/candidates.js";
import { seededRandom } from "../../random.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { maglev } from "../strategies/maglev.js";
import { p2c } from "../strategies/p2c.js";
import { random } from "../strategies/random.js";
import { roundRobin } from "../strategies/round-robin.js";
import type { Candidate, Strategy } from "../strategy.js";
import { type SlowStartOptions, slowStart } from "./slow-start.js";

/** As `slowStart()`, with candidates that join one second apart. */
const joining = (inner: Strategy): Strategy => {
  return (environment) => {
    const distribute = slowStart(inner)(environment);
    return (set) => distribute(set.map((one, n) => Object.assign(one, { joinedMs: n * 1_000 })));
  };
};
for (const [name, inner] of Object.entries({ roundRobin, random, p2c })) {
  strategyContract({ describe, it }, { name: `slowStart of ${name}`, make: () => slowStart(inner()) });
  strategyContract({ describe, it }, { name: `slowStart of ${name} while all join`, make: () => joining(inner()) });
}

/** Chance that is even over every stretch of it: multiples of the golden ratio. */
function evenRandom(): () => number {
  let at = 0;
  return () => {
    at = (at + 0.618_033_988_75) % 1;
    return at;
  };
}

function start(options: SlowStartOptions = {}, inner: Strategy = roundRobin()) {
  const clock = virtualClock();
  return { clock, distribute: slowStart(inner, options)({ clock, random: evenRandom() }) };
}

/** Ten endpoints, of which one joins at 0. */
function fleet() {
  return [...candidates("old", 9), ...candidates("new", 1, { joinedMs: 0 })];
}

describe("slowStart", () => {
  it.each([
    [0, 0.1],
    [1_000, 0.1],
    [7_500, 0.25],
    [15_000, 0.5],
    [29_000, 0.967],
    [30_000, 1],
    [1e9, 1],
  ])("after %i ms gives a newcomer %f of its share of the turns", async (ageMs, part) => {
    const { clock, distribute } = start();
    const pick = distribute(fleet());
    await clock.advance(ageMs);
    const counted = tally(pick, 10_000);
    // Of every ten turns one is the newcomer's, and those that it does not take are the others'.
    const turns = counted["new-0"]! / part;
    expect(turns / (10_000 - counted["new-0"]! + turns)).toBeCloseTo(0.1, 2);
    const others = Object.entries(counted).filter(([address]) => address !== "new-0");
    for (const [, count] of others) expect(Math.abs(count / others[0]![1] - 1)).toBeLessThan(0.01);
  });

  it("follows Envoy's formula with another window, least share and aggression", async () => {
    const { clock, distribute } = start({ windowMs: 10_000, minShare: 0.2, aggression: 2 });
    const pick = distribute(fleet());
    const partNow = () => {
      const { "new-0": newcomer = 0, ...others } = tally(pick, 10_000);
      return (newcomer * 9) / Object.values(others).reduce((sum, count) => sum + count, 0);
    };
    expect(partNow()).toBeCloseTo(0.2, 2);
    await clock.advance(2_500);
    expect(partNow()).toBeCloseTo(0.5, 2); // the root of a quarter
    await clock.advance(6_000);
    expect(partNow()).toBeCloseTo(Math.sqrt(0.85), 2);
  });

  it("holds back a newcomer that the inner strategy always prefers, as one without load", () => {
    const leastLoaded: Strategy = () => (set) => (context) => {
      const left = set.filter(({ address }) => !context.exclude?.has(address));
      return (left.length > 0 ? left : [...set]).sort((a, b) => a.cost() - b.cost())[0];
    };
    const { distribute } = start({}, leastLoaded);
    const set = [...candidates("old", 9, { load: 1 }), ...candidates("new", 1, { joinedMs: 0 })];
    expect(tally(distribute(set), 10_000, groupOf)).toMatchObject({ new: expect.closeTo(1_000, -1) });
  });

  it("holds nobody back where all are new alike", () => {
    const set = candidates("new", 5, { joinedMs: 0 });
    expect(Object.values(tally(start().distribute(set), 100))).toEqual([20, 20, 20, 20, 20]);
  });

  it.each([
    [1, 1],
    [1, 9],
    [2, 4],
  ])(
    "holds newcomers back less where %i warm and %i new ones would leave the warm with too much",
    async (old, fresh) => {
      const { clock, distribute } = start();
      const all = old + fresh;
      const pick = distribute([...candidates("old", old), ...candidates("new", fresh, { joinedMs: 0 })]);
      const loadOfOld = () => (tally(pick, 14_000, groupOf).old! / 14_000 / old) * all;
      expect(loadOfOld()).toBeCloseTo(1.4, 1);
      await clock.advance(29_000);
      expect(loadOfOld()).toBeCloseTo(1, 1);
    },
  );

  it("reckons with those that are usable only, by their weight, and again as they change", async () => {
    const clock = virtualClock();
    const distribute = slowStart(random())({ clock, random: seededRandom(1) });
    const old = candidates("old", 9);
    const set = [...old, ...candidates("new", 1, { joinedMs: 0, weight: 3 })];
    const pick = distribute(set);
    const partOfNew = () => tally(pick, 20_000, groupOf).new! / 20_000;
    expect(partOfNew()).toBeLessThan(0.02);
    for (const one of old.slice(0, 8)) one.usable = false;
    await clock.advance(50);
    // `random()` heeds no weights: of two, the new one gets what its acceptance makes of a half.
    const accepted = (4 / 1.4 - 1) / 3;
    expect(partOfNew()).toBeCloseTo(accepted / 2, 2);
  });

  it("picks a newcomer rather than one that is unusable or was tried", () => {
    const set = [...candidates("old", 2, { unusable: 1 }), ...candidates("new", 1, { joinedMs: 0 })];
    const pick = start().distribute(set);
    expect(tally(pick, 100, groupOf, () => ({ exclude: new Set(["old-0"]) }))).toEqual({ new: 100 });
  });

  it("asks for few picks, also when most endpoints are new", () => {
    let asked = 0;
    const counting: Strategy = (environment) => {
      const distribute = roundRobin()(environment);
      return (set) => {
        const pick = distribute(set);
        return (context) => {
          asked += 1;
          return pick(context);
        };
      };
    };
    const { distribute } = start({}, counting);
    const pick = distribute([...candidates("old", 1), ...candidates("new", 99, { joinedMs: 0 })]);
    for (let n = 0; n < 1_000; n += 1) {
      asked = 0;
      pick({});
      expect(asked).toBeLessThanOrEqual(8);
    }
  });

  it("moves keys to a newcomer one after another, and each of them once", async () => {
    const { clock, distribute } = start({}, maglev());
    const pick = distribute(fleet());
    const keysOfNewcomer = () => {
      const keys = Array.from({ length: 3_000 }, (_, key) => `key ${key}`);
      return new Set(keys.filter((hashKey) => pick({ hashKey })?.address === "new-0"));
    };
    const sizes: number[] = [];
    let before = new Set<string>();
    for (let step = 0; step <= 6; step += 1) {
      const now = keysOfNewcomer();
      for (const key of before) expect(now.has(key)).toBe(true);
      expect(keysOfNewcomer()).toEqual(now);
      sizes.push(now.size);
      before = now;
      await clock.advance(5_000);
    }
    expect(sizes[0]).toBeLessThan(60);
    expect(sizes[3]).toBeGreaterThan(100);
    expect(sizes[6]).toBeGreaterThan(250);
  });

  it("begins when the server says that it was started, also for a client that is new, and anew when it says so", async () => {
    const { clock, distribute } = start({ startedAt: "started" });
    await clock.advance(20_000);
    const said = (started: string) => [
      ...candidates("old", 4, { metadata: { started: "0" } }),
      ...candidates("new", 1, { metadata: { started } }),
    ];
    const partOf = (set: readonly Candidate[]) => {
      const { new: newcomer = 0, old = 0 } = tally(distribute(set), 4_000, groupOf);
      return (newcomer * 4) / old;
    };
    await clock.advance(20_000);
    const iso = new Date(clock.epochMs() - 15_000).toISOString();
    expect(partOf(said(iso))).toBeCloseTo(0.5, 2);
    await clock.advance(15_000);
    expect(partOf(said(iso))).toBeCloseTo(1, 2);
    expect(partOf(said(String(clock.epochMs())))).toBeCloseTo(0.1, 2);
    const ahead = String(clock.epochMs() + 3_600_000); // a clock that is an hour fast
    expect(partOf(said(ahead))).toBeCloseTo(0.1, 2);
    await clock.advance(30_000);
    expect(partOf(said(ahead))).toBeCloseTo(1, 2);
    expect(partOf(said("yesterday"))).toBeCloseTo(1, 2);
  });

  it("repeats itself with the same seed while endpoints warm up", () => {
    const run = () => {
      const pick = slowStart(random())({ clock: virtualClock(), random: seededRandom(3) })(fleet());
      return Array.from({ length: 200 }, () => pick({})?.address);
    };
    expect(run()).toEqual(run());
  });

  it.each([
    [{ windowMs: 0 }, /windowMs.*above 0, not 0/],
    [{ minShare: 10 }, /minShare.*not 10/],
    [{ aggression: 0 }, /aggression.*not 0/],
    [{ window: 5 }, /no option `window`/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => slowStart(roundRobin(), options as SlowStartOptions)).toThrow(message);
  });
});

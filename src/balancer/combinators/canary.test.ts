import { describe, expect, it } from "vitest";
import { candidates, evenRandom, groupOf, tally } from "../../../test/support/candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { p2c } from "../strategies/p2c.js";
import { random } from "../strategies/random.js";
import { roundRobin } from "../strategies/round-robin.js";
import type { Candidate } from "../strategy.js";
import { type CanaryOptions, canary } from "./canary.js";

const first = ({ address }: Candidate) => address === "10.0.0.1:1";
for (const share of [0, 0.2, 1]) {
  for (const [name, inner] of Object.entries({ roundRobin, random, p2c })) {
    const make = () => canary(inner(), { match: first, share });
    strategyContract({ describe, it }, { name: `canary of ${name} with a share of ${share}`, make });
  }
}

const v2 = { version: "2.0.0" };

function start(set: readonly Candidate[], share: number) {
  return canary(roundRobin(), { match: v2, share })({ clock: virtualClock(), random: evenRandom() })(set);
}

function fleet(unusable = 0) {
  return [...candidates("stable", 9), ...candidates("canary", 2, { ...v2, unusable })];
}

describe("canary", () => {
  it.each([0, 0.01, 0.05, 0.5, 1])("gives the canaries %d of the calls, however many there are", (share) => {
    const { canary: calls = 0, stable = 0 } = tally(start(fleet(), share), 10_000, groupOf);
    expect([calls, stable]).toEqual([10_000 * share, 10_000 * (1 - share)]);
  });

  it("keeps a user on one side, and those who were on the canary stay when its share grows", () => {
    const sides = [0.05, 0.2, 0.5].map((share) => {
      const pick = start(fleet(), share);
      const users = Array.from({ length: 2_000 }, (_, user) => user).filter((user) => {
        const counted = tally(pick, 3, groupOf, () => ({ hashKey: `user ${user}` }));
        expect(Object.keys(counted)).toHaveLength(1);
        return counted.canary === 3;
      });
      expect(Math.abs(users.length / 2_000 - share)).toBeLessThan(0.03);
      return new Set(users);
    });
    for (const [n, side] of sides.slice(1).entries()) for (const user of sides[n]!) expect(side.has(user)).toBe(true);
  });

  it("divides keys anew inside another, so that two new versions each get their share", () => {
    const all = [...fleet(), ...candidates("third", 1, { version: "3.0.0" })];
    const third = canary(roundRobin(), { match: { version: "3.0.0" }, share: 0.2 });
    const both = canary(third, { match: v2, share: 0.2 });
    const pick = both({ clock: virtualClock(), random: evenRandom() })(all);
    const counted = tally(pick, 10_000, groupOf, (user) => ({ hashKey: `user ${user}` }));
    expect(counted.canary! / 10_000).toBeCloseTo(0.2, 1);
    expect(counted.third! / (10_000 - counted.canary!)).toBeCloseTo(0.2, 1);
  });

  it("leaves no call to a side that is down, on either side", () => {
    expect(tally(start(fleet(2), 0.5), 100, groupOf)).toEqual({ stable: 100 });
    const set = fleet();
    for (const one of set.slice(0, 9)) one.usable = false;
    expect(tally(start(set, 0.01), 100, groupOf)).toEqual({ canary: 100 });
    expect(tally(start(candidates("stable", 2), 0.5), 100, groupOf)).toEqual({ stable: 100 });
  });

  it("retries on the canary's side, and on the other when nobody untried is left", () => {
    const pick = start(fleet(), 1);
    expect(tally(pick, 10, undefined, () => ({ exclude: new Set(["canary-0"]) }))).toEqual({ "canary-1": 10 });
    expect(tally(pick, 10, groupOf, () => ({ exclude: new Set(["canary-0", "canary-1"]) }))).toEqual({ stable: 10 });
  });

  it.each([
    [{ match: v2, share: 5 }, /share.*from 0 to 1, not 5/],
    [{ match: v2 }, /share.*not undefined/],
    [{ share: 0.1 }, /canary\(\) matches has to be/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => canary(roundRobin(), options as CanaryOptions)).toThrow(message);
  });
});

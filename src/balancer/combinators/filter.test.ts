import { describe, expect, it } from "vitest";
import { candidates, groupOf, tally } from "../../../test/support/candidates.js";
import { seededRandom } from "../../random.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { p2c } from "../strategies/p2c.js";
import { random } from "../strategies/random.js";
import { roundRobin } from "../strategies/round-robin.js";
import type { Candidate } from "../strategy.js";
import { type FilterOptions, filter } from "./filter.js";

const odd = ({ address }: Candidate) => /[13]:1$/.test(address);
strategyContract({ describe, it }, { name: "filter of roundRobin", make: () => filter(roundRobin(), { match: odd }) });
strategyContract({ describe, it }, { name: "filter of p2c", make: () => filter(p2c(), { match: odd }) });
strategyContract({ describe, it }, { name: "filter of random", make: () => filter(random(), { match: odd }) });
strategyContract(
  { describe, it },
  {
    name: "filter without a fallback, where all match",
    make: () => filter(roundRobin(), { match: () => true, fallback: "none" }),
  },
);

function start(set: readonly Candidate[], options: FilterOptions) {
  return filter(roundRobin(), options)({ clock: virtualClock(), random: seededRandom(1) })(set);
}

const v1 = { version: "1.9.0" };
const v2 = { version: "2.0.0" };

describe("filter", () => {
  it("picks only what matches", () => {
    const set = [...candidates("old", 3, v1), ...candidates("new", 2, v2)];
    expect(tally(start(set, { match: v2 }), 100)).toEqual({ "new-0": 50, "new-1": 50 });
  });

  it("matches version, zone and metadata, all that is asked for", () => {
    const set = [
      ...candidates("wanted", 1, { ...v2, zone: "a", metadata: { tier: "gold", shard: "7" } }),
      ...candidates("version", 1, { ...v1, zone: "a", metadata: { tier: "gold", shard: "7" } }),
      ...candidates("zone", 1, { ...v2, zone: "b", metadata: { tier: "gold", shard: "7" } }),
      ...candidates("metadata", 1, { ...v2, zone: "a", metadata: { tier: "gold", shard: "8" } }),
      ...candidates("silent", 1),
    ];
    const match = { ...v2, zone: "a", metadata: { tier: "gold", shard: "7" } };
    expect(tally(start(set, { match }), 10, groupOf)).toEqual({ wanted: 10 });
  });

  it("takes any other while none that matches is usable, or untried", () => {
    const set = [...candidates("old", 2, v1), ...candidates("new", 2, v2)];
    const pick = start(set, { match: v2 });
    expect(tally(pick, 10, groupOf, () => ({ exclude: new Set(["new-0", "new-1"]) }))).toEqual({ old: 10 });
    for (const one of set.slice(2)) one.usable = false;
    expect(tally(pick, 10, groupOf)).toEqual({ old: 10 });
    expect(tally(start(candidates("old", 2, v1), { match: v2 }), 10, groupOf)).toEqual({ old: 10 });
  });

  it("takes only those of the fallback instead, if one is named", () => {
    const stable = { metadata: { track: "stable" } };
    const set = [
      ...candidates("odd", 2, v1),
      ...candidates("stable", 2, { ...v1, ...stable }),
      ...candidates("new", 1, v2),
    ];
    const pick = start(set, { match: v2, fallback: stable });
    expect(tally(pick, 10, groupOf)).toEqual({ new: 10 });
    set.at(-1)!.usable = false;
    expect(tally(pick, 10, groupOf)).toEqual({ stable: 10 });
    expect(start(candidates("odd", 2, v1), { match: v2, fallback: stable })({})).toBeUndefined();
  });

  it("takes nobody else without a fallback", () => {
    const set = [...candidates("old", 2, v1), ...candidates("new", 2, { ...v2, unusable: 2 })];
    expect(tally(start(set, { match: v2, fallback: "none" }), 10, groupOf)).toEqual({ new: 10 });
    expect(start(candidates("old", 2, v1), { match: v2, fallback: "none" })({})).toBeUndefined();
  });

  it.each([
    [{ match: {} }, /filter\(\) matches has to be a function, or an object with version, zone, metadata, not \{\}/],
    [{ match: { tier: "gold" } }, /not \{"tier":"gold"\}/],
    [{ match: undefined }, /filter\(\) matches has to be/],
    [{ match: v2, fallback: "all" }, /fallback of filter\(\) is `any`, `none`.*not "all"/],
    [{ match: v2, fall: "any" }, /no option `fall`/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => filter(roundRobin(), options as unknown as FilterOptions)).toThrow(message);
  });
});

import { describe, expect, it } from "vitest";
import { candidates, evenRandom, groupOf, tally } from "../../../test/support/candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { p2c } from "../strategies/p2c.js";
import { random } from "../strategies/random.js";
import { roundRobin } from "../strategies/round-robin.js";
import type { Candidate } from "../strategy.js";
import { type ZoneAwareOptions, zoneAware } from "./zone-aware.js";

const MAKE = { random, roundRobin, p2c };
for (const [name, make] of Object.entries(MAKE)) {
  strategyContract({ describe, it }, { name: `zoneAware of ${name}`, make: () => zoneAware(make(), { zone: "a" }) });
}

/** Servers of zones a, b and so on: `zoned(3, 3)` has three in each of two. */
function zoned(...counts: readonly number[]) {
  return counts.flatMap((count, n) => candidates("abcdef"[n]!, count, { zone: "abcdef"[n]! }));
}

function start(set: readonly Candidate[], options: ZoneAwareOptions) {
  return zoneAware(roundRobin(), options)({ clock: virtualClock(), random: evenRandom() })(set);
}

/** The part of the calls in each zone. */
function parts(set: readonly Candidate[], options: ZoneAwareOptions): Record<string, number> {
  const counted = tally(start(set, options), 20_000, groupOf);
  return Object.fromEntries(Object.entries(counted).map(([zone, count]) => [zone, Math.round((count / 20_000) * 100)]));
}

describe("zoneAware", () => {
  it("keeps every call in a zone that has its part of the servers, or more", () => {
    expect(parts(zoned(2, 2, 2), { zone: "b" })).toEqual({ b: 100 });
    expect(parts(zoned(2, 5, 2), { zone: "b" })).toEqual({ b: 100 });
  });

  it("spills what a zone with too few servers cannot carry, to zones by what they have to spare", () => {
    const set = zoned(1, 3, 8); // of twelve; each zone's callers are worth four
    expect(parts(set, { zone: "a" })).toEqual({ a: 25, c: 75 });
    expect(parts(set, { zone: "b" })).toEqual({ b: 75, c: 25 });
    expect(parts(set, { zone: "c" })).toEqual({ c: 100 });
  });

  it("gives every server the same load when callers are spread evenly, whatever the zones are like", () => {
    for (const sizes of [
      [1, 3, 8],
      [2, 2, 3],
      [5, 1, 1, 9],
    ]) {
      const set = zoned(...sizes);
      const perServer = new Map<string, number>();
      for (const [n] of sizes.entries()) {
        const counted = tally(start(set, { zone: "abcdef"[n]! }), 40_000);
        for (const [address, count] of Object.entries(counted)) {
          perServer.set(address, (perServer.get(address) ?? 0) + count);
        }
      }
      const fair = (40_000 * sizes.length) / set.length;
      expect(perServer.size).toBe(set.length);
      for (const load of perServer.values()) expect(Math.abs(load / fair - 1)).toBeLessThan(0.001);
    }
  });

  it("counts only what is usable, by weight", () => {
    const set = zoned(4, 4, 4);
    for (const one of set.slice(0, 2)) one.usable = false; // two of ten are left in a
    expect(parts(set, { zone: "a" })).toEqual({ a: 60, b: 20, c: 20 });
    const heavy = zoned(2, 2, 2);
    for (const one of heavy) if (one.zone !== "a") one.weight = 2; // a has two of ten
    expect(parts(heavy, { zone: "a" })).toEqual({ a: 60, b: 20, c: 20 });
  });

  it("is told where the callers are", () => {
    const set = zoned(1, 9);
    expect(parts(set, { zone: "a" })).toEqual({ a: 20, b: 80 });
    expect(parts(set, { zone: "a", callers: { a: 1, b: 9 } })).toEqual({ a: 100 });
    expect(parts(set, { zone: "a", callers: { a: 3, b: 7 } })).toEqual({ a: 33, b: 67 });
  });

  it("leaves the zone for a retry only when nobody untried is left in it, and then spreads", () => {
    const pick = start(zoned(2, 2, 2), { zone: "a" });
    expect(tally(pick, 100, undefined, () => ({ exclude: new Set(["a-0"]) }))).toEqual({ "a-1": 100 });
    const away = tally(pick, 4_000, undefined, () => ({ exclude: new Set(["a-0", "a-1"]) }));
    expect(Object.keys(away).sort()).toEqual(["b-0", "b-1", "c-0", "c-1"]);
    for (const count of Object.values(away)) expect(Math.abs(count - 1_000)).toBeLessThan(2);
  });

  it("leaves a zone that has nobody usable", () => {
    const set = zoned(2, 2, 2);
    for (const one of set.slice(0, 2)) one.usable = false;
    expect(parts(set, { zone: "a" })).toEqual({ b: 50, c: 50 });
  });

  it("looks at no zones while there are few endpoints, or none of its own zone", () => {
    expect(parts(zoned(1, 2, 2), { zone: "a" })).toEqual({ a: 20, b: 40, c: 40 });
    expect(parts(zoned(1, 2, 2), { zone: "a", minEndpoints: 5, callers: { a: 1 } })).toEqual({ a: 20, b: 40, c: 40 });
    expect(parts(zoned(3, 3), { zone: "elsewhere" })).toEqual({ a: 50, b: 50 });
  });

  it("spills to endpoints without a zone, which no caller is in", () => {
    const set = [...zoned(2, 4), ...candidates("free", 2)];
    expect(parts(set, { zone: "a" })).toEqual({ a: 50, free: 50 });
  });

  it.each([
    [{ zone: "" }, /client's own `zone`/],
    [{ zone: "a", minEndpoints: -1 }, /minEndpoints.*from 0 on, not -1/],
    [{ zone: "a", callers: { b: Number.NaN } }, /callers of "b".*not NaN/],
    [{ zone: "a", min: 3 }, /no option `min`/],
  ])("refuses %j and says why", (options, message) => {
    expect(() => zoneAware(roundRobin(), options as ZoneAwareOptions)).toThrow(message);
  });
});

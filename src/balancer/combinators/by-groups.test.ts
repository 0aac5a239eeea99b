import fc from "fast-check";
import { expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { reluctance } from "../reluctance.js";
import { random } from "../strategies/random.js";
import { ringHash } from "../strategies/ring-hash.js";
import type { Strategy } from "../strategy.js";
import { boundedLoad } from "./bounded-load.js";
import { canary } from "./canary.js";
import { filter } from "./filter.js";
import { priority } from "./priority.js";
import { slowStart } from "./slow-start.js";
import { zoneAware } from "./zone-aware.js";

const match = { zone: "a" };
const bounded = boundedLoad(ringHash({ virtualNodes: 5 }));
const combined: Readonly<Record<string, Strategy>> = {
  priority: priority(random()),
  zoneAware: zoneAware(random(), { zone: "a", minEndpoints: 0 }),
  filter: filter(random(), { match }),
  canary: canary(random(), { match, share: 0.3 }),
  slowStart: slowStart(random()),
  "all of them": canary(slowStart(priority(zoneAware(random(), { zone: "b", minEndpoints: 2 }))), {
    match,
    share: 0.3,
  }),
  "a bound inside all of them": canary(priority(zoneAware(slowStart(bounded), { zone: "b", minEndpoints: 2 })), {
    match,
    share: 0.3,
  }),
  "a bound around all of them": boundedLoad(
    canary(slowStart(priority(zoneAware(ringHash({ virtualNodes: 5 }), { zone: "b", minEndpoints: 2 }))), {
      match,
      share: 0.3,
    }),
  ),
};

const states = fc.array(
  fc.record({
    zone: fc.constantFrom("a", "b", "c"),
    level: fc.integer({ min: 0, max: 2 }),
    joinedMs: fc.integer({ min: -40_000, max: 0 }),
    usable: fc.boolean(),
    becomes: fc.boolean(),
    tried: fc.boolean(),
    pending: fc.integer({ min: 0, max: 6 }),
  }),
  { minLength: 1, maxLength: 12 },
);

it.each(Object.entries(combined))(
  "%s picks the best that there is anywhere, also just after it changed",
  (_, strategy) => {
    fc.assert(
      fc.property(states, fc.nat(), fc.option(fc.string(), { nil: undefined }), (all, seed, hashKey) => {
        const set = all.flatMap(({ zone, level, joinedMs, usable, pending }, n) =>
          manualCandidates([`host-${n}`], { zone, joinedMs, usable, pending, metadata: { priority: String(level) } }),
        );
        const exclude = new Set(set.filter((__, n) => all[n]?.tried).map(({ address }) => address));
        const pick = strategy({ clock: virtualClock(), random: seededRandom(seed) })(set);
        const holds = () => {
          const context = { exclude, hashKey };
          const best = Math.min(...set.map((one) => reluctance(one, context)));
          expect(reluctance(pick(context)!, context)).toBe(best);
        };
        for (let n = 0; n < 5; n += 1) holds();
        for (const [n, one] of set.entries()) one.usable = all[n]!.becomes; // within the 50 ms between two counts
        for (let n = 0; n < 5; n += 1) holds();
      }),
      { seed: 1, numRuns: 200 },
    );
  },
);

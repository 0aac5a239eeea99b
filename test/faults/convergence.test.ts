/** The convergence check over a few seeds; `npm run soak` runs it over many. */
import { expect, describe as group, test } from "vitest";
import { generate } from "./convergence/generate.js";
import { outcomeOf } from "./convergence/outcome.js";
import { run } from "./convergence/run.js";
import { describe, kindOf } from "./convergence/schedule.js";

// Together they have every kind of action on both lines of etcd, and many clients that live through a wipe.
const SEEDS = [270, 463, 516];

test("the seeds of this test have every kind of action", () => {
  const kinds = (seeds: readonly number[]) => new Set(seeds.flatMap((seed) => generate(seed).actions.map(kindOf)));
  const many = Array.from({ length: 200 }, (_, seed) => seed);
  expect([...kinds(SEEDS)].sort()).toEqual([...kinds(many)].sort());
  expect(new Set(SEEDS.map((seed) => generate(seed).etcd))).toEqual(new Set(["3.4", "3.5"]));
});

group.concurrent("every view is exact at its revision, and all is well within the bound after the last fault", () => {
  for (const seed of SEEDS) {
    test(`seed ${seed}`, { timeout: 150_000 }, async () => {
      const schedule = generate(seed);
      const { violations, views, unknowable, events } = outcomeOf(schedule, await run(schedule));
      const found = violations.map(({ check, what }) => `${check}: ${what}`);
      expect(found, `npm run soak -- --seed ${seed}\n${describe(schedule)}`).toEqual([]);
      // A run in which nothing was seen would find nothing.
      expect(events).toBeGreaterThanOrEqual(schedule.registrars.length);
      expect(views - unknowable).toBeGreaterThanOrEqual(schedule.clients.length);
    });
  }
});

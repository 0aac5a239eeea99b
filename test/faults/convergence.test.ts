/** The convergence check over a few seeds; `npm run soak` runs it over many. */
import { expect, describe as group, test } from "vitest";
import { generate } from "./convergence/generate.js";
import { outcomeOf } from "./convergence/outcome.js";
import { run } from "./convergence/run.js";
import { describe } from "./convergence/schedule.js";

test("a seed always gives the same schedule", () => {
  expect(describe(generate(42))).toBe(describe(generate(42)));
  expect(describe(generate(42))).not.toBe(describe(generate(43)));
});

group.concurrent("every view is exact at its revision, and all is well within the bound after the last fault", () => {
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}`, { timeout: 150_000 }, async () => {
      const schedule = generate(seed);
      const { violations } = outcomeOf(schedule, await run(schedule));
      const found = violations.map(({ check, what }) => `${check}: ${what}`);
      expect(found, `npm run soak -- --seed ${seed}\n${describe(schedule)}`).toEqual([]);
    });
  }
});

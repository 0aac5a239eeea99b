import { expect, it } from "vitest";
import { retryBudget } from "./budget.js";

/** How many retries can be had at one moment. */
function spend(budget: ReturnType<typeof retryBudget>, nowMs: number): number {
  let taken = 0;
  while (budget.withdraw(nowMs)) taken += 1;
  return taken;
}

it("starts with one second's reserve", () => {
  expect(spend(retryBudget(), 0)).toBe(10);
});

it("earns a fifth of the calls", () => {
  const budget = retryBudget({ reservePerSecond: 0 });
  for (let n = 0; n < 1_000; n += 1) budget.deposit(0);
  expect(spend(budget, 0)).toBe(199); // 200, less rounding of a thousand additions of 0.2
});

it("grants ten a second without any call", () => {
  const budget = retryBudget();
  let taken = spend(budget, 0);
  for (let nowMs = 100; nowMs <= 60_000; nowMs += 100) taken += spend(budget, nowMs);
  expect(taken).toBeGreaterThan(590);
  expect(taken).toBeLessThanOrEqual(610);
});

it("forgets what was earned long ago", () => {
  const budget = retryBudget({ reservePerSecond: 0 });
  for (let n = 0; n < 10_000; n += 1) budget.deposit(0);
  expect(spend(budget, 120_000)).toBe(0);
});

it("saves no more than a window's worth in quiet times", () => {
  const budget = retryBudget();
  spend(budget, 0);
  expect(spend(budget, 3_600_000)).toBeLessThanOrEqual(100);
});

import { expect, it } from "vitest";
import { setUp, unavailable } from "../../../test/support/retried-calls.js";
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

it("can be shared by several clients of one service", async () => {
  const budget = retryBudget({ ratio: 0, reservePerSecond: 5 });
  const clients = [1, 2].map(() => setUp(() => Promise.reject(unavailable()), { budget, attempts: 10 }));
  for (const { call, clock } of clients) {
    for (let n = 0; n < 20; n += 1) call({ idempotent: true }).catch(() => {});
    await clock.advance(0);
  }
  for (const { clock } of clients) await clock.advance(900);
  const retries = clients.flatMap(({ tried }) => tried.filter(({ attempt }) => attempt > 1)).length;
  expect(retries).toBeGreaterThanOrEqual(5);
  expect(retries).toBeLessThan(5 + 5); // the reserve of one second, and not of each
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

it("refuses numbers that would bound nothing, as a missing setting makes them", () => {
  for (const options of [{ ratio: Number.NaN }, { ratio: -1 }, { reservePerSecond: Number.NaN }]) {
    expect(() => retryBudget(options)).toThrow(/must be a number from 0 on, not/);
  }
  expect(() => retryBudget({ windowMs: 0 })).toThrow("windowMs must be a number of milliseconds above 0, not 0");
});

import fc from "fast-check";
import { expect, it } from "vitest";
import { LatencyWindow } from "./latency-window.js";

it("gives quantiles that are at most 4 % above the true ones, and never below", () => {
  const latency = fc.double({ min: 0.1, max: 500_000, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(latency, { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (all, quantile) => {
        const window = new LatencyWindow(30_000);
        for (const each of all) window.record(each, 0);
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(quantile * all.length) - 1]!;
        const given = window.quantile(quantile, 0);
        expect(given).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
        expect(given).toBeLessThanOrEqual(exact * 1.04 * (1 + 1e-9));
      },
    ),
  );
});

it("forgets what is older than its window, and not before", () => {
  const window = new LatencyWindow(30_000);
  for (let n = 0; n < 100; n += 1) window.record(1_000, 0);
  expect(window.count(24_999)).toBe(100);
  window.record(1, 24_999);
  expect(window.quantile(0.5, 24_999)).toBeGreaterThan(999);
  expect(window.count(30_000)).toBe(1);
  expect(window.quantile(0.5, 30_000)).toBeLessThan(1.05);
  expect(window.count(1e9)).toBe(0);
});

it("knows nothing without calls, and no end to those that took longer than it can tell", () => {
  const window = new LatencyWindow(30_000);
  expect(window.quantile(0.95, 0)).toBe(Number.POSITIVE_INFINITY);
  window.record(3_600_000, 200);
  expect(window.quantile(0.95, 200)).toBe(Number.POSITIVE_INFINITY);
});

it("says what is new within a tenth of a second", () => {
  const window = new LatencyWindow(30_000);
  window.record(1, 0);
  expect(window.quantile(0.5, 0)).toBeLessThan(1.05);
  for (let n = 0; n < 10; n += 1) window.record(100, 50);
  expect(window.quantile(0.5, 99)).toBeLessThan(1.05);
  expect(window.quantile(0.5, 100)).toBeGreaterThan(99);
});

/**
 * Peak EWMA, ejection, retries and slow start at once. Each was made for itself; together they must not spoil what one of them
 * reaches alone.
 */
import { expect, test } from "vitest";
import { p2c, peakEwma, slowStart } from "../../src/index.js";
import { type ClientUnderTest, summarize } from "../../src/simulate/index.js";
import { alone, summaries } from "./support.js";

const together: ClientUnderTest = {
  strategy: slowStart(p2c()),
  metric: peakEwma(),
  retry: { attempts: 3 },
  ejection: {},
};
const WORSE = 1.02;

test.each(["slow-backend", "cold-start"])(
  "%s: no more calls go to the slow server, and none takes longer",
  async (name) => {
    const [parts = summarize([])] = await summaries(name, alone("p2c"), 1);
    const [whole = summarize([])] = await summaries(name, together, 1);
    expect(whole.faulty).toBeLessThanOrEqual(parts.faulty * WORSE);
    for (const figure of ["mean", "p99", "p999"] as const) {
      expect(whole.latencyMs[figure]).toBeLessThanOrEqual(parts.latencyMs[figure] * WORSE);
    }
  },
);

test("fast-failing: fewer calls reach the failing server than by the metric alone, and no caller hears of it", async () => {
  const [metric = summarize([])] = await summaries("fast-failing", alone("p2c"), 1);
  const [whole = summarize([])] = await summaries("fast-failing", together, 1);
  expect(whole.faulty).toBeLessThanOrEqual(metric.faulty * WORSE);
  expect(whole.failed).toBe(0);
});

test("hanging: it swallows no more than 25 calls, and every one of them is answered elsewhere", async () => {
  const [{ faulty, failed } = summarize([])] = await summaries("hanging", together, 1);
  expect(faulty).toBeLessThanOrEqual(25);
  expect(failed).toBe(0);
});

test("total-outage: ejection and panic add no attempts", async () => {
  const [{ attempts, calls } = summarize([])] = await summaries("total-outage", together, 1);
  expect(attempts / calls).toBeLessThanOrEqual(1.22);
});

test("join: a cold server gets less than without slow start, and calls are faster for it", async () => {
  const [parts = summarize([])] = await summaries("join", alone("p2c"), 1);
  const [whole = summarize([])] = await summaries("join", together, 1);
  expect(whole.faulty).toBeLessThan(parts.faulty);
  expect(whole.latencyMs.p999).toBeLessThanOrEqual(parts.latencyMs.p999 * WORSE);
});

import { expect, it } from "vitest";
import { Tally } from "./summary.js";

it("is all zeros where nothing was called", () => {
  expect(new Tally().summary(10)).toEqual({
    calls: 0,
    ok: 0,
    failed: 0,
    slow: 0,
    elapsedMs: 10,
    callsPerSecond: 0,
    latencyMs: { p50: 0, p90: 0, p99: 0, max: 0 },
    byInstance: {},
    instances: {},
  });
});

it("counts every call's latency, and the answers of each instance", () => {
  const tally = new Tally();
  for (let ms = 1; ms <= 1_000; ms += 1) {
    tally.add(
      ms % 10 === 0
        ? { ok: false, code: "UNAVAILABLE", message: "", address: "c:1", attempts: 3, ms }
        : { ok: true, address: ms % 2 === 0 ? "b:1" : "a:1", attempts: 1, ms, reply: {} },
    );
  }
  const { latencyMs, instances, ...counts } = tally.summary(2_000);
  expect(counts).toEqual({
    calls: 1_000,
    ok: 900,
    failed: 100,
    slow: 500,
    elapsedMs: 2_000,
    callsPerSecond: 500,
    byInstance: { "a:1": 500, "b:1": 400 },
  });
  expect(instances).toMatchObject({
    "a:1": { ok: 500, failed: 0, slow: 250 },
    "b:1": { ok: 400, failed: 0, slow: 200 },
    "c:1": { ok: 0, failed: 100, slow: 50, p99: expect.any(Number) },
  });
  expect(Object.keys(counts.byInstance)).toEqual(["a:1", "b:1"]);
  for (const [name, exactly] of [
    ["p50", 500],
    ["p90", 900],
    ["p99", 990],
  ] as const) {
    expect(Math.abs(latencyMs[name] - exactly)).toBeLessThanOrEqual(exactly / 100);
  }
  expect(latencyMs.max).toBe(1_000);
});

import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { type Plan, runCallers } from "./callers.js";

const plan: Plan = {
  calls: Number.POSITIVE_INFINITY,
  callers: 1,
  perSecond: undefined,
  durationMs: Number.POSITIVE_INFINITY,
  signal: new AbortController().signal,
};

it("makes so many calls, so many at a time, and waits for the last", async () => {
  let running = 0;
  let most = 0;
  let ended = 0;
  await runCallers({ ...plan, calls: 10, callers: 3 }, async () => {
    running += 1;
    most = Math.max(most, running);
    await delay(2);
    running -= 1;
    ended += 1;
  });
  expect([ended, most]).toEqual([10, 3]);
});

it("begins no call after its time, however early a timer fires", async () => {
  let calls = 0;
  await runCallers({ ...plan, callers: 100, perSecond: 100, durationMs: 200 }, async () => {
    calls += 1;
  });
  expect(calls).toBeLessThanOrEqual(20);
});

it("begins no call once it is told to end", async () => {
  const stop = new AbortController();
  let calls = 0;
  await runCallers({ ...plan, perSecond: 1, signal: stop.signal }, async () => {
    calls += 1;
    stop.abort();
  });
  expect(calls).toBe(1);
});

it("tells a late call when it was due", async () => {
  const lateMs: number[] = [];
  await runCallers({ ...plan, calls: 4, perSecond: 1_000 }, async (sinceMs) => {
    lateMs.push(performance.now() - sinceMs);
    await delay(30);
  });
  // The fourth was due after 3 ms and waited for three calls of 30 ms.
  expect(lateMs[3]).toBeGreaterThan(75);
});

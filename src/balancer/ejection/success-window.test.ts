import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SuccessWindow } from "./success-window.js";

describe("a success window", () => {
  it("says 1 of no calls, and else the share that succeeded", () => {
    const window = new SuccessWindow(10_000);
    expect(window.successRate).toBe(1);
    for (const success of [true, false, true, true]) window.add(success, 0);
    expect(window).toMatchObject({ successes: 3, failures: 1, successRate: 0.75 });
  });

  it("forgets a call between nine and ten tenths of the window later", () => {
    const window = new SuccessWindow(10_000);
    window.add(false, 999);
    window.moveTo(9_999);
    expect(window.failures).toBe(1);
    window.moveTo(10_000);
    expect(window.failures).toBe(0);
  });

  it("holds exactly the calls of its ten tenths, in any order of calls and pauses", () => {
    const calls = fc.array(fc.record({ afterMs: fc.nat(1_500), success: fc.boolean() }), { maxLength: 60 });
    const durations = fc.constantFrom(10, 1_000, 3_333);
    fc.assert(
      fc.property(calls, durations, fc.nat(1e9), (all, windowMs, startMs) => {
        const window = new SuccessWindow(windowMs);
        const tenth = (ms: number) => Math.floor(ms / (windowMs / 10));
        const made: { readonly atMs: number; readonly success: boolean }[] = [];
        let nowMs = startMs;
        for (const { afterMs, success } of all) {
          nowMs += afterMs;
          made.push({ atMs: nowMs, success });
          window.add(success, nowMs);
          const within = made.filter(({ atMs }) => tenth(nowMs) - tenth(atMs) < 10);
          expect(window.successes).toBe(within.filter((call) => call.success).length);
          expect(window.failures).toBe(within.filter((call) => !call.success).length);
        }
      }),
    );
  });
});

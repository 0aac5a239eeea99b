import { describe, expect, it } from "vitest";
import { type EjectionOptions, ejectionRule } from "./ejection-rule.js";

describe("ejection options", () => {
  it("have defaults, also where they are given as undefined", () => {
    expect(ejectionRule({ maxEjected: undefined, minRequests: 20 })).toEqual({
      consecutiveFailures: 5,
      minSuccessRate: 0.8,
      windowMs: 10_000,
      minRequests: 20,
      ejection: { baseMs: 5_000, maxMs: 300_000 },
      maxEjected: 0.5,
      panicThreshold: 0.5,
    });
  });

  it.each<[EjectionOptions, string]>([
    [{ consecutiveFailures: 0 }, "`ejection.consecutiveFailures` is 0: give a whole number of calls, at least 1"],
    [{ minSuccessRate: 80 }, "`ejection.minSuccessRate` is 80: give a share from 0 to 1"],
    [{ windowMs: Number.NaN }, "`ejection.windowMs` is NaN: give milliseconds, more than 0"],
    [{ minRequests: 1.5 }, "`ejection.minRequests` is 1.5: give a whole number of calls, at least 1"],
    [{ baseEjectionMs: -1 }, "`ejection.baseEjectionMs` is -1: give milliseconds, more than 0"],
    [{ maxEjectionMs: 1_000 }, "`ejection.maxEjectionMs` is 1000: give at least `ejection.baseEjectionMs`, 5000"],
    [{ maxEjected: 1.1 }, "`ejection.maxEjected` is 1.1: give a share from 0 to 1"],
    [{ panicThreshold: -0.1 }, "`ejection.panicThreshold` is -0.1: give a share from 0 to 1"],
    [{ threshold: 5 } as EjectionOptions, "ejection has no option `threshold`; it has consecutiveFailures, "],
  ])("%j are refused with the remedy", (options, message) => {
    expect(() => ejectionRule(options)).toThrow(message);
  });

  it("may switch off either rule", () => {
    const off = { consecutiveFailures: Number.POSITIVE_INFINITY, minSuccessRate: 0 };
    expect(ejectionRule(off)).toMatchObject(off);
  });
});

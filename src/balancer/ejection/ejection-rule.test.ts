import { describe, expect, it } from "vitest";
import { type EjectionOptions, ejectionRule } from "./ejection-rule.js";

describe("ejection options", () => {
  it("have defaults, also where they are given as undefined", () => {
    expect(ejectionRule({ maxEjected: undefined, minCalls: 20 })).toEqual({
      consecutiveFailures: 5,
      minSuccessRate: 0.8,
      windowMs: 10_000,
      minCalls: 20,
      ejection: { baseMs: 5_000, maxMs: 300_000 },
      maxEjected: 0.5,
      panicThreshold: 0.5,
    });
  });

  it.each<[EjectionOptions, string]>([
    [{ consecutiveFailures: 0 }, "ejection.consecutiveFailures must be a whole number from 1 on, not 0"],
    [{ minSuccessRate: 80 }, "ejection.minSuccessRate must be a number from 0 to 1, not 80"],
    [{ windowMs: Number.NaN }, "ejection.windowMs must be a number of milliseconds above 0, not NaN"],
    [{ minCalls: 1.5 }, "ejection.minCalls must be a whole number from 1 on, not 1.5"],
    [{ baseEjectionMs: -1 }, "ejection.baseEjectionMs must be a number of milliseconds above 0, not -1"],
    [{ maxEjectionMs: 1_000 }, "ejection.maxEjectionMs must be a number from baseEjectionMs, 5000, on, not 1000"],
    [{ maxEjected: 1.1 }, "ejection.maxEjected must be a number from 0 to 1, not 1.1"],
    [{ panicThreshold: -0.1 }, "ejection.panicThreshold must be a number from 0 to 1, not -0.1"],
    [{ threshold: 5 } as EjectionOptions, "ejection has no option `threshold`; it has consecutiveFailures, "],
  ])("%j are refused with the remedy", (options, message) => {
    expect(() => ejectionRule(options)).toThrow(message);
  });

  it("may switch off either rule", () => {
    const off = { consecutiveFailures: Number.POSITIVE_INFINITY, minSuccessRate: 0 };
    expect(ejectionRule(off)).toMatchObject(off);
  });
});

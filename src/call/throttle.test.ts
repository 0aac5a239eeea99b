import { describe, expect, it } from "vitest";
import { layered } from "../../test/support/layered-calls.js";
import { answerIn, Failure, never, unavailable } from "../../test/support/retried-calls.js";
import { throttle } from "./throttle.js";

const throttled = () => layered(({ clock, random }) => [throttle({ clock, random })]);

describe("a throttle", () => {
  it("refuses nothing while the service accepts, nor for the caller's own mistakes", async () => {
    const { service, load } = throttled();
    await load(50, 5);
    service.serve = () => Promise.reject(new Failure({ fault: "caller", code: "NOT_FOUND" }));
    await load(50, 20);
    expect(service.refused.THROTTLED).toBeUndefined();
  });

  it("sends about twice what the service accepts, as the book says", async () => {
    const { service, load } = throttled();
    let turn = 0;
    service.serve = async () => {
      turn += 1;
      if (turn % 4 === 0) throw new Failure({ fault: "overload", code: "RESOURCE_EXHAUSTED" });
      return "answer";
    };
    await load(50, 10);
    expect(service.refused.THROTTLED).toBeUndefined(); // three of four are accepted: more than one of two
    let accepted = 0;
    service.serve = async () => {
      turn += 1;
      if (turn % 10 !== 0) throw new Failure({ fault: "overload", code: "RESOURCE_EXHAUSTED" });
      accepted += 1;
      return "answer";
    };
    await load(50, 30);
    service.sent = 0;
    accepted = 0;
    await load(50, 30);
    expect(service.sent).toBeLessThan(30 * 50 * 0.5);
    expect(service.sent).toBeGreaterThan(accepted * 2);
  });

  it("sends one call a second in a total outage, and all of them within half a minute after it", async () => {
    const { service, load } = throttled();
    service.serve = () => Promise.reject(unavailable());
    await load(50, 30);
    service.sent = 0;
    await load(50, 20);
    expect(service.sent).toBeGreaterThanOrEqual(19);
    expect(service.sent).toBeLessThanOrEqual(50);
    service.serve = async () => "answer";
    await load(50, 30);
    service.refused = {};
    await load(50, 10);
    expect(service.refused).toEqual({});
  });

  it("does not take calls that have just begun for failures, however many", async () => {
    const { service, call, clock } = throttled();
    service.serve = () => answerIn(clock, 100);
    const all = Array.from({ length: 500 }, () => call());
    await clock.advance(100);
    expect(new Set(await Promise.all(all))).toEqual(new Set(["late"]));
  });

  it("refuses nothing of calls and streams that take longer than its window", async () => {
    const { clock, service, load } = throttled();
    service.serve = () => answerIn(clock, 9_000);
    await load(20, 40);
    service.serve = async (context) => {
      context.holdUntil(never());
      return "first message";
    };
    await load(20, 40);
    expect(service.refused).toEqual({});
  });

  it("takes calls for failures whose time is over", async () => {
    const { service, load } = throttled();
    service.serve = never;
    await load(20, 20);
    expect(service.refused.THROTTLED).toBeGreaterThan(100);
  });

  it("does not count what was given up", async () => {
    const { service, call } = throttled();
    service.serve = never;
    for (let n = 0; n < 200; n += 1) {
      const leaving = new AbortController();
      const ended = call({ signal: leaving.signal });
      leaving.abort();
      expect(await ended).toBe("CANCELLED");
    }
  });
});

it("refuses a factor that would refuse everything", () => {
  expect(() => throttle({ k: 0.5 })).toThrow(/k must be a number from 1 on/);
  for (const windowMs of [0, Number.NaN]) expect(() => throttle({ windowMs })).toThrow(/windowMs must be/);
});

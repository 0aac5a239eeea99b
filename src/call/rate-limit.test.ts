import { describe, expect, it } from "vitest";
import { layered } from "../../test/support/layered-calls.js";
import { rateLimit } from "./rate-limit.js";
import { retry } from "./retry/retry.js";

const limited = (options: Parameters<typeof rateLimit>[0]) =>
  layered(({ clock }) => [rateLimit({ clock, ...options })]);

describe("a rate limit", () => {
  it("lets a burst through and then its rate, and refuses the rest", async () => {
    const { service, load } = limited({ perSecond: 10, burst: 5 });
    await load(100, 10);
    expect(service.sent).toBeGreaterThanOrEqual(100);
    expect(service.sent).toBeLessThanOrEqual(105);
    expect(service.refused.RATE_LIMITED).toBe(1_000 - service.sent);
  });

  it("saves no more than a burst", async () => {
    const { service, clock, call } = limited({ perSecond: 10 });
    await clock.advance(3_600_000);
    for (let n = 0; n < 50; n += 1) void call();
    expect(service.sent).toBe(10);
  });

  it("with `wait` lets each call through in its turn", async () => {
    const { service, clock, call } = limited({ perSecond: 10, burst: 1, wait: true });
    const times: number[] = [];
    service.serve = async () => void times.push(Math.round(clock.nowMs()));
    for (let n = 0; n < 4; n += 1) void call();
    await clock.advance(1_000);
    expect(times).toEqual([0, 100, 200, 300]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("refuses at once a call whose turn comes after its deadline, and gives the others what is left of their time", async () => {
    const { service, clock, call } = limited({ perSecond: 10, burst: 1, wait: true });
    service.serve = () => new Promise(() => {});
    void call();
    const waiting = call({ timeoutMs: 150 });
    expect(await call({ timeoutMs: 150 })).toBe("RATE_LIMITED");
    await clock.advance(149);
    expect(service.sent).toBe(2);
    await clock.advance(1);
    expect(await waiting).toBe("DEADLINE_EXCEEDED");
  });

  it("gives the turn of a call that was cancelled to the next", async () => {
    const { service, clock, call } = limited({ perSecond: 10, burst: 1, wait: true });
    const leaving = new AbortController();
    void call();
    const cancelled = call({ signal: leaving.signal });
    const next = call();
    leaving.abort();
    expect(await cancelled).toBe("CANCELLED");
    await clock.advance(100);
    expect(await next).toBe("answer");
    expect(service.sent).toBe(2);
  });

  it("keeps no timer when nobody waits any more, which would keep the process alive", async () => {
    const { clock, call } = limited({ perSecond: 0.01, burst: 1, wait: true });
    const leaving = new AbortController();
    await call();
    const cancelled = call({ signal: leaving.signal });
    leaving.abort();
    expect(await cancelled).toBe("CANCELLED");
    expect(clock.pendingTimers).toBe(0);
  });

  it("under retry does not take the time that it waits from an attempt's own", async () => {
    const { clock, call } = layered(({ clock, random }) => [
      rateLimit({ clock, perSecond: 1, burst: 1, wait: true }),
      retry({ clock, random, attemptTimeoutMs: 500 }),
    ]);
    void call();
    const waiting = call({ timeoutMs: 3_000 });
    await clock.advance(1_000);
    expect(await waiting).toBe("answer");
  });

  it("under retry sends nothing for a call that has ended while it waited", async () => {
    const { service, clock, call } = layered(({ clock, random }) => [
      rateLimit({ clock, perSecond: 1, wait: true }),
      retry({ clock, random }),
    ]);
    void call();
    const leaving = new AbortController();
    const cancelled = call({ signal: leaving.signal, timeoutMs: 3_000 });
    leaving.abort();
    expect(await cancelled).toBe("CANCELLED");
    await clock.advance(10_000);
    expect(service.sent).toBe(1);
  });
});

it("refuses rates that are none", () => {
  for (const perSecond of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => rateLimit({ perSecond })).toThrow(/perSecond must be/);
  }
  expect(() => rateLimit({ perSecond: 1, burst: 0 })).toThrow(/burst must be/);
});

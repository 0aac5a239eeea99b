import { describe, expect, it } from "vitest";
import { layered } from "../../test/support/layered-calls.js";
import { answerIn, Failure, never, unavailable } from "../../test/support/retried-calls.js";
import type { Layer } from "./call.js";
import { type ConcurrencyLimitOptions, concurrencyLimit } from "./concurrency-limit.js";
import { rateLimit } from "./rate-limit.js";
import { retry } from "./retry/retry.js";

const limited = (options: ConcurrencyLimitOptions = {}) =>
  layered(({ clock }) => [concurrencyLimit({ clock, ...options })]);

/** How many of a thousand calls at one moment get through. */
function room({ service, call }: ReturnType<typeof limited>): number {
  const before = service.sent;
  for (let n = 0; n < 1_000; n += 1) void call({ timeoutMs: 1 });
  return service.sent - before;
}

describe("a concurrency limit", () => {
  it("refuses at once what is over it, and takes the next when one has ended", async () => {
    const set = limited({ initial: 2 });
    const { service, call, clock } = set;
    service.serve = () => answerIn(clock, 100);
    const all = [call(), call(), call()];
    expect(await all[2]).toBe("CONCURRENCY_LIMITED");
    await clock.advance(100);
    expect(await Promise.all(all)).toEqual(["late", "late", "CONCURRENCY_LIMITED"]);
    void call();
    expect(service.sent).toBe(3);
  });

  it("counts no call in progress that a layer below refused, even by throwing", async () => {
    const broken: Layer = () => () => {
      throw new Error("not today");
    };
    for (const below of [broken, rateLimit({ perSecond: 1, wait: true })]) {
      const { call } = layered(({ clock }) => [below, concurrencyLimit({ clock, initial: 1 })]);
      await call();
      const codes = [await call({ timeoutMs: -1 }), await call({ timeoutMs: -1 })];
      expect(codes).not.toContain("CONCURRENCY_LIMITED");
    }
  });

  it("takes a maximum or minimum without an initial limit that fits", () => {
    expect(room(limited({ max: 5 }))).toBe(5);
    expect(room(limited({ min: 50 }))).toBe(50);
  });

  it("grows by about one for each limit's worth of answers while it is used, up to its maximum", async () => {
    const set = limited({ max: 30 });
    const { service, call, clock } = set;
    service.serve = () => answerIn(clock, 10);
    const round = async () => {
      for (let n = 0; n < 50; n += 1) void call();
      await clock.advance(10);
    };
    await round();
    expect(room(set)).toBe(20);
    service.serve = () => answerIn(clock, 10);
    await clock.advance(10);
    for (let n = 0; n < 40; n += 1) await round();
    service.serve = never;
    expect(room(set)).toBe(30);
  });

  it("does not grow while it is hardly used", async () => {
    const set = limited();
    for (let n = 0; n < 500; n += 1) await set.call();
    set.service.serve = never;
    expect(room(set)).toBe(20);
  });

  it("falls by a tenth for all the calls that met one overload, and no further than its minimum", async () => {
    const set = limited({ initial: 100, min: 80 });
    const { service, call, clock } = set;
    service.serve = () => answerIn(clock, 10).then(() => Promise.reject(unavailable()));
    for (let n = 0; n < 100; n += 1) void call();
    await clock.advance(10);
    service.serve = never;
    expect(room(set)).toBe(90);
    await clock.advance(10);
    for (let n = 0; n < 10; n += 1) {
      service.serve = () => Promise.reject(unavailable());
      await call();
      await clock.advance(1);
    }
    service.serve = never;
    expect(room(set)).toBe(80);
  });

  it("takes no notice of the caller's mistakes, nor of what was never sent", async () => {
    const set = limited();
    for (const outcome of [{ fault: "caller" }, { reached: "never-sent", code: "UNAVAILABLE" }] as const) {
      set.service.serve = () => Promise.reject(new Failure(outcome));
      for (let n = 0; n < 50; n += 1) await set.call();
    }
    set.service.serve = never;
    expect(room(set)).toBe(20);
  });

  it("counts a stream until its end", async () => {
    const { service, call, clock } = limited({ initial: 1 });
    let end = (_: { kind: "ok"; reached: "maybe-seen" }) => {};
    service.serve = async (context) => {
      context.holdUntil(
        new Promise((resolve) => {
          end = resolve;
        }),
      );
      return "first message";
    };
    expect(await call()).toBe("first message");
    expect(await call()).toBe("CONCURRENCY_LIMITED");
    end({ kind: "ok", reached: "maybe-seen" });
    await clock.advance(0);
    expect(await call()).toBe("first message");
  });

  it("is not tried again by the retries around it, and reaches no server", async () => {
    const { service, call } = layered(({ clock, random }) => [
      concurrencyLimit({ clock, initial: 1 }),
      retry({ clock, random }),
    ]);
    service.serve = never;
    void call({ idempotent: true, timeoutMs: 3_000 });
    expect(await call({ idempotent: true, timeoutMs: 3_000 })).toBe("CONCURRENCY_LIMITED");
    expect(service.sent).toBe(1);
  });
});

it("refuses limits that are none", () => {
  expect(() => concurrencyLimit({ min: 5, initial: 2 })).toThrow(/1 ≤ min ≤ initial ≤ max/);
  expect(() => concurrencyLimit({ backoffRatio: 1 })).toThrow(/backoffRatio must be a number above 0 and below 1/);
});

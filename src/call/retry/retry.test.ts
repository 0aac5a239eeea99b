import { describe, expect, it } from "vitest";
import {
  ADDRESSES,
  Failure,
  never,
  neverSent,
  refused,
  type Server,
  setUp,
  stubborn,
  unavailable,
} from "../../../test/support/retried-calls.js";
import { CallError } from "../../errors.js";
import { seededRandom } from "../../random.js";
import type { CallContext } from "../call.js";
import { compose } from "../compose.js";
import { retry } from "./retry.js";

describe("how often", () => {
  it("fails with two bad endpoints and two attempts (go-kit 29), succeeds with three (go-kit 30)", async () => {
    const serve: Server = async (n) => {
      if (n < 3) throw unavailable();
      return "answer";
    };
    const two = await setUp(serve, { attempts: 2 }).settle({ idempotent: true });
    expect(two.error).toMatchObject({ code: "CALL_FAILED", attempts: [{}, {}] });
    expect((await setUp(serve, { attempts: 3 }).settle({ idempotent: true })).value).toBe("answer");
  });

  it("lists every attempt with its instance, error and time, and keeps the last error as cause", async () => {
    const failures = [unavailable(), unavailable(), unavailable()];
    const { clock, settle } = setUp((n) => {
      const failure = failures[n - 1]!;
      return new Promise((_, reject) => void clock.after(10, () => reject(failure)));
    });
    const { error } = await settle({ idempotent: true });
    expect(error).toBeInstanceOf(CallError);
    expect(error.cause).toBe(failures[2]);
    expect(error.attempts.map((attempt: { error: Error }) => attempt.error)).toEqual(failures);
    expect(error.attempts.map(({ elapsedMs }: { elapsedMs: number }) => Math.round(elapsedMs))).toEqual([10, 10, 10]);
    expect(new Set(error.attempts.map(({ instance }: { instance: string }) => instance))).toEqual(new Set(ADDRESSES));
    expect(error.message).toMatch(/failed after 3 attempts, the last on 10\.0\.0\.\d:1: maybe-seen UNAVAILABLE/);
  });

  it("goes to another endpoint each time while there is one, then starts over", async () => {
    const { settle, tried } = setUp(async () => Promise.reject(unavailable()), { attempts: 5 });
    await settle({ idempotent: true });
    const addresses = tried.map(({ address }) => address);
    expect(new Set(addresses.slice(0, 3))).toEqual(new Set(ADDRESSES));
    expect(addresses).toHaveLength(5);
    expect(tried.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
  });

  it.each([
    ["fails", () => Promise.reject(unavailable())],
    ["is slow", never],
  ])("goes to another endpoint when one %s, whatever the strategy prefers", async (_how, serve: Server) => {
    const { settle, tried } = setUp(serve, {}, ADDRESSES, stubborn);
    await settle({ idempotent: true, timeoutMs: 3_000 });
    expect(tried.map(({ address }) => address)).toEqual(ADDRESSES);
  });

  it("passes over what the caller excludes, in every attempt", async () => {
    const { settle, tried } = setUp(() => Promise.reject(unavailable()), { attempts: 2 });
    await settle({ idempotent: true, exclude: new Set(ADDRESSES.slice(0, 1)) });
    expect(new Set(tried.map(({ address }) => address))).toEqual(new Set(ADDRESSES.slice(1)));
  });

  it("does not count what no server has seen, and goes on with it until the deadline", async () => {
    const { settle, tried } = setUp(async (n) => {
      if (n < 8) throw neverSent();
      return "answer";
    });
    expect((await settle({ timeoutMs: 3_000 })).value).toBe("answer");
    expect(tried).toHaveLength(8);

    const hopeless = setUp(() => Promise.reject(neverSent()));
    const { error, atMs } = await hopeless.settle({ timeoutMs: 3_000 });
    expect(error).toMatchObject({ code: "CALL_FAILED", cause: { outcome: { reached: "never-sent" } } });
    expect(atMs).toBeGreaterThan(2_700);
    expect(atMs).toBeLessThanOrEqual(3_000);
  });

  it("counts even those when there is no deadline to end it", async () => {
    const { settle, tried } = setUp(() => Promise.reject(neverSent()));
    expect((await settle()).error).toMatchObject({ code: "CALL_FAILED" });
    expect(tried).toHaveLength(3);
  });

  it("does not count the first refusal, and counts the next", async () => {
    const { settle, tried } = setUp(() => Promise.reject(refused()), { attempts: 2 });
    await settle({ timeoutMs: 3_000 });
    expect(tried).toHaveLength(3);
  });

  it.each([0, Number.NaN, 2.5, Number.POSITIVE_INFINITY])("refuses %d attempts", (attempts) => {
    expect(() => retry({ attempts })).toThrow(/attempts must be a whole number from 1 on/);
  });

  it("refuses durations that are none", () => {
    for (const durationMs of [-1, Number.NaN]) {
      expect(() => retry({ timeoutMs: durationMs })).toThrow(/timeoutMs must be/);
      expect(() => retry({ attemptTimeoutMs: durationMs })).toThrow(/attemptTimeoutMs must be/);
      expect(() => retry({ backoff: { baseMs: durationMs, maxMs: 1 } })).toThrow(/backoff.baseMs must be/);
      expect(() => retry({ backoff: { baseMs: 1, maxMs: durationMs } })).toThrow(/backoff.maxMs must be/);
    }
  });

  it("lists the first and the last eight of many attempts, and counts them all", async () => {
    const { settle, tried } = setUp((n) => Promise.reject(new Failure({ reached: "never-sent", code: String(n) })));
    const { error } = await settle({ timeoutMs: 10_000 });
    const numbers = error.attempts.map((attempt: { error: Failure }) => Number(attempt.error.outcome.code));
    const count = tried.length;
    expect(count).toBeGreaterThan(30);
    const last = Array.from({ length: 8 }, (_, n) => count - 7 + n);
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, ...last]);
    expect(error.message).toContain(`failed after ${count} attempts`);
  });

  it("ends with what the caller's own rule throws", async () => {
    const broken = new Error("no such field");
    const { settle } = setUp(() => Promise.reject(unavailable()), {
      retryable: () => {
        throw broken;
      },
    });
    const { error, atMs } = await settle({ idempotent: true });
    expect([error.cause, atMs]).toEqual([broken, 0]);
  });

  it("leaves it to a retry further out", async () => {
    let attempts = 0;
    const { balancer, clock } = setUp(never);
    const random = seededRandom(1);
    const nested = compose(balancer.call, retry({ clock, random }), retry({ clock, random }));
    const outcome = nested(
      async () => {
        attempts += 1;
        throw unavailable();
      },
      { idempotent: true, timeoutMs: 3_000 },
    ).catch((error) => error.attempts.length);
    await clock.advance(3_000);
    expect([attempts, await outcome]).toEqual([3, 3]);
  });
});

describe("when", () => {
  it("goes on at once after the first failure that no server has seen", async () => {
    const { settle, tried } = setUp(async (n) => {
      if (n < 2) throw neverSent();
      return "answer";
    });
    await settle({ timeoutMs: 3_000 });
    expect(tried.map(({ atMs }) => atMs)).toEqual([0, 0]);
  });

  it("pauses for a random time up to a bound that doubles", async () => {
    for (const [random, expected] of [
      [0.999999, [0, 25, 75, 175, 375, 625, 875]],
      [0.5, [0, 12.5, 37.5, 87.5, 187.5, 312.5, 437.5]],
    ] as const) {
      const { settle, tried } = setUp(() => Promise.reject(unavailable()), { attempts: 7, random: () => random });
      await settle({ idempotent: true });
      expect(tried.map(({ atMs }) => Math.round(atMs * 10) / 10)).toEqual(expected);
    }
  });

  it("waits exactly as long as the server asks for", async () => {
    const { settle, tried } = setUp(async (n) => {
      if (n === 1) throw new Failure({ code: "UNAVAILABLE", pushbackMs: 700 });
      return "answer";
    });
    await settle({ idempotent: true });
    expect(tried.map(({ atMs }) => atMs)).toEqual([0, 700]);
  });

  it("begins with the shortest pause again after one that the server asked for", async () => {
    const { settle, tried } = setUp(
      (n) => Promise.reject(new Failure({ code: "UNAVAILABLE", ...(n === 3 && { pushbackMs: 700 }) })),
      { attempts: 6, random: () => 0.5 },
    );
    await settle({ idempotent: true });
    expect(tried.map(({ atMs }) => atMs)).toEqual([0, 12.5, 37.5, 737.5, 750, 775]);
  });

  it("stops when the server asks not to be tried again", async () => {
    const { settle, tried } = setUp(() => Promise.reject(new Failure({ code: "UNAVAILABLE", pushbackMs: -1 })));
    expect((await settle({ idempotent: true })).atMs).toBe(0);
    expect(tried).toHaveLength(1);
  });

  it("starts no attempt that its pause would push past the deadline", async () => {
    const { settle, tried } = setUp(() => Promise.reject(new Failure({ code: "UNAVAILABLE", pushbackMs: 900 })));
    const { error, atMs } = await settle({ idempotent: true, timeoutMs: 900 });
    expect([error.code, atMs, tried.length]).toEqual(["CALL_FAILED", 0, 1]);
  });
});

it("tries calls again over a base that tells nothing of its attempts", async () => {
  let attempts = 0;
  const base = async <R>(operation: (client: string, context: CallContext) => Promise<R>) => {
    attempts += 1;
    if (attempts < 3) throw new Error("down");
    return operation("client", {} as CallContext); // this operation reads nothing of it
  };
  const call = compose<string>(base, retry({ backoff: { baseMs: 1, maxMs: 1 } }));
  expect(await call(async (client) => client, { idempotent: true })).toBe("client");
});

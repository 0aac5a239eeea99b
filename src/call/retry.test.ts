import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { balance } from "../balancer/balance.js";
import { reluctance } from "../balancer/reluctance.js";
import { roundRobin } from "../balancer/strategies/round-robin.js";
import type { Strategy } from "../balancer/strategy.js";
import type { Clock } from "../clock.js";
import { endpoints } from "../endpoints/endpointer.js";
import { CallError } from "../errors.js";
import type { Outcome } from "../outcome.js";
import { seededRandom } from "../random.js";
import { manualConnections } from "../testing/manual-connections.js";
import { manualMembership } from "../testing/manual-registry.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { CallContext, CallOptions } from "./call.js";
import { compose } from "./compose.js";
import { type RetryOptions, retry } from "./retry.js";
import { timeout } from "./timeout.js";

const ADDRESSES = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];

class Failure extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Partial<Outcome>) {
    super(`${outcome.reached ?? "maybe-seen"} ${outcome.code ?? ""}`);
    this.outcome = { kind: "failed", reached: "maybe-seen", fault: "server", ...outcome };
  }
}

const unavailable = () => new Failure({ code: "UNAVAILABLE" });
const neverSent = () => new Failure({ reached: "never-sent", code: "UNAVAILABLE" });
const refused = () => new Failure({ reached: "refused", code: "UNAVAILABLE" });

type Server = (call: number, context: CallContext) => Promise<string>;

/** Servers that answer as `serve` says; `call` numbers the attempts at all of them, from 1. */
function setUp(serve: Server, options: RetryOptions = {}, addresses = ADDRESSES, strategy: Strategy = roundRobin()) {
  const clock = virtualClock();
  const random = seededRandom(5);
  const membership = manualMembership();
  const connections = manualConnections((address) => address, {
    outcomeOf: (error) => (error instanceof Failure ? error.outcome : new Failure({}).outcome),
  });
  const endpointer = endpoints(membership, connections.connect, { clock, random });
  const ended: Outcome[] = [];
  const meter = { cost: () => 0, begin: () => {}, end: (_call: unknown, outcome: Outcome) => void ended.push(outcome) };
  const balancer = balance(endpointer, strategy, { clock, random, metric: () => meter });
  membership.live(...addresses);
  const tried: { address: string; atMs: number; attempt: number }[] = [];
  const base = compose(balancer.call, retry({ clock, random, ...options }));
  const call = (callOptions?: CallOptions) =>
    base((address, context) => {
      tried.push({ address, atMs: clock.nowMs(), attempt: context.attempt });
      return serve(tried.length, context);
    }, callOptions);
  /** Runs one call to its end, however long that takes. */
  const settle = async (callOptions?: CallOptions, forMs = 60_000) => {
    const result = call(callOptions).then(
      (value) => ({ value, atMs: clock.nowMs(), error: undefined }),
      (error) => ({ value: undefined, atMs: clock.nowMs(), error }),
    );
    await clock.advance(forMs);
    return result;
  };
  return { clock, membership, connections, balancer, ended, tried, call, settle };
}

function balanceOver(addresses: readonly string[]) {
  const membership = manualMembership();
  membership.live(...addresses);
  return balance(
    endpoints(membership, ({ address }) => ({ client: address })),
    roundRobin(),
  );
}

/** Always the first that is as good as any: it changes its mind only for a call that was there before. */
const stubborn: Strategy = () => (candidates) => (context) =>
  candidates.toSorted((a, b) => reluctance(a, context) - reluctance(b, context))[0];

const never = () => new Promise<never>(() => {});
const answerIn = (clock: { after(ms: number, callback: () => void): unknown }, ms: number) =>
  new Promise<string>((resolve) => void clock.after(ms, () => resolve("late")));

describe("which failures are tried again", () => {
  const codes = ["UNAVAILABLE", "NOT_FOUND", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED", undefined] as const;
  const table: [reached: Outcome["reached"], code: string | undefined, idempotent: boolean, again: boolean][] = [];
  for (const idempotent of [false, true]) {
    for (const code of codes) {
      table.push(["never-sent", code, idempotent, true]);
      table.push(["refused", code, idempotent, true]);
      table.push(["maybe-seen", code, idempotent, idempotent && (code === "UNAVAILABLE" || code === undefined)]);
    }
  }

  it.each(table)("%s %s, idempotent %s: tried again %s", async (reached, code, idempotent, again) => {
    const failure = new Failure({ reached, ...(code && { code }) });
    const { settle, tried } = setUp(async (n) => {
      if (n === 1) throw failure;
      return "answer";
    });
    const { value, error } = await settle({ idempotent, timeoutMs: 3_000 });
    expect(tried.length).toBe(again ? 2 : 1);
    if (again) expect(value).toBe("answer");
    else expect(error).toMatchObject({ code: "CALL_FAILED", cause: failure });
  });

  it.each([
    ["overload", "RESOURCE_EXHAUSTED", 2],
    ["server", "RESOURCE_EXHAUSTED", 1],
    ["caller", "UNAVAILABLE", 1],
  ] as const)("the fault of the %s, %s: %i attempts", async (fault, code, attempts) => {
    const { settle, tried } = setUp(async (n) => {
      if (n === 1) throw new Failure({ fault, code });
      return "answer";
    });
    await settle({ idempotent: true, timeoutMs: 3_000 });
    expect(tried.length).toBe(attempts);
  });

  it("asks the caller's own rule, which cannot make a repeat of a call that is not idempotent", async () => {
    const serve: Server = async (n) => {
      if (n === 1) throw new Failure({ code: "ABORTED" });
      return "answer";
    };
    const options: RetryOptions = { retryable: ({ code }) => code === "ABORTED" };
    expect((await setUp(serve, options).settle({ idempotent: true })).value).toBe("answer");
    expect((await setUp(serve, options).settle()).value).toBeUndefined();
  });

  it("takes the layer's idempotency only when the call says nothing", async () => {
    const serve: Server = async (n) => {
      if (n === 1) throw unavailable();
      return "answer";
    };
    expect((await setUp(serve, { idempotent: true }).settle()).value).toBe("answer");
    expect((await setUp(serve, { idempotent: true }).settle({ idempotent: false })).error).toBeInstanceOf(CallError);
  });

  it("makes no further attempt after a stream's first message", async () => {
    const { settle, tried } = setUp(async (_n, context) => {
      context.holdUntil(never());
      throw unavailable();
    });
    await settle({ idempotent: true, timeoutMs: 3_000 });
    expect(tried.length).toBe(1);
  });
});

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

describe("a total outage", () => {
  function outage(options: CallOptions = { timeoutMs: 3_000 }) {
    const set = setUp(() => Promise.reject(neverSent()));
    for (const { status } of set.connections.made) status.set("failing");
    const result = set.call(options).then(
      (value) => ({ value, error: undefined }),
      (error) => ({ value: undefined, error }),
    );
    return { ...set, result };
  }

  it("is tried once on each endpoint, then waited out, and named with what was tried", async () => {
    const { clock, tried, result } = outage();
    await clock.advance(1_000);
    expect(new Set(tried.map(({ address }) => address)).size).toBe(tried.length);
    expect(tried).toHaveLength(3);
    await clock.advance(2_000);
    const { error } = await result;
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ code: "NO_USABLE_INSTANCES", cause: { outcome: { reached: "never-sent" } } });
    expect(error.attempts).toHaveLength(3);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is over for a call as soon as a connection is ready", async () => {
    let up = false;
    const { clock, connections, call } = setUp(() => (up ? Promise.resolve("answer") : Promise.reject(neverSent())));
    for (const { status } of connections.made) status.set("failing");
    const answer = call({ timeoutMs: 3_000 });
    await clock.advance(2_000);
    up = true;
    connections.to("10.0.0.2:1").status.set("ready");
    expect(await answer).toBe("answer");
  });

  it("ends with one attempt where one waits already, not with one for each failure", async () => {
    const { clock, connections, call, tried } = setUp(
      (n) =>
        n > 1
          ? Promise.resolve("answer")
          : new Promise((_, reject) => void clock.after(1_500, () => reject(unavailable()))),
      {},
      ADDRESSES.slice(0, 1),
    );
    const answer = call({ idempotent: true, timeoutMs: 3_000 });
    connections.made[0]?.status.set("failing");
    await clock.advance(2_000);
    connections.made[0]?.status.set("ready");
    expect(await answer).toBe("answer");
    expect(tried).toHaveLength(2);
  });

  it("fails a call that has no deadline after its attempts", async () => {
    const { clock, tried, result } = outage({});
    await clock.advance(3_000);
    expect((await result).error).toMatchObject({ code: "CALL_FAILED" });
    expect(tried).toHaveLength(3);
  });

  it("does not stop the process when there is no pause between attempts", async () => {
    const balancer = balanceOver(ADDRESSES);
    const call = compose(balancer.call, retry({ backoff: { baseMs: 0, maxMs: 0 } }));
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    const refusal = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    await expect(call(() => Promise.reject(refusal), { timeoutMs: 200 })).rejects.toMatchObject({ cause: refusal });
    clearInterval(turning);
    expect(turns).toBeGreaterThan(10);
  });
});

describe("the deadline", () => {
  it("covers all attempts and ends a call whose operation hangs (go-kit 31)", async () => {
    const { settle, connections, ended } = setUp(never, { timeoutMs: 3_000 });
    const { error, atMs } = await settle();
    expect([error.code, atMs]).toEqual(["DEADLINE_EXCEEDED", 3_000]);
    expect(error).toBeInstanceOf(CallError);
    expect(error.attempts).toMatchObject([{ elapsedMs: 3_000, error: { code: "DEADLINE_EXCEEDED" } }]);
    expect(connections.made.flatMap(({ suspicions }) => suspicions)).toEqual([3_000]);
    expect(ended.map(({ code }) => code)).toEqual(["DEADLINE_EXCEEDED"]);
  });

  it("is the earliest of the call's, the layer's and those further out", async () => {
    expect((await setUp(never, { timeoutMs: 3_000 }).settle({ timeoutMs: 500 })).atMs).toBe(500);
    expect((await setUp(never, { timeoutMs: 400 }).settle({ timeoutMs: 500 })).atMs).toBe(400);
  });

  it("keeps the errors of the attempts before it (K18)", async () => {
    const failure = unavailable();
    const { settle } = setUp((n) => (n === 1 ? Promise.reject(failure) : never()), { attempts: 2 });
    const { error } = await settle({ idempotent: true, timeoutMs: 1_000 });
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", cause: failure });
    expect(error.attempts.map((attempt: { error: Error }) => attempt.error.message)).toEqual([
      failure.message,
      expect.stringContaining("no answer within"),
    ]);
  });

  it("is what a call ran into whose transport noticed first", async () => {
    const { clock, settle, connections } = setUp(
      () => new Promise((_, reject) => void clock.after(998, () => reject(new Failure({ code: "DEADLINE_EXCEEDED" })))),
    );
    const { error } = await settle({ timeoutMs: 1_000 });
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", cause: { outcome: { code: "DEADLINE_EXCEEDED" } } });
    expect(error.attempts).toHaveLength(1);
    expect(connections.made.flatMap(({ suspicions }) => suspicions)).toEqual([998]);
  });

  it.each([
    ["REGISTRY_UNAVAILABLE", undefined],
    ["NO_INSTANCES", []],
  ] as const)("rejects with %s when it passed before there was an endpoint (go-kit 24, 28)", async (code, set) => {
    const { membership, settle, tried } = setUp(never);
    if (set === undefined) membership.set({ state: "pending" });
    else membership.live(...set);
    const { error, atMs } = await settle({ timeoutMs: 3_000, idempotent: true });
    expect([error.code, atMs, tried.length]).toEqual([code, 3_000, 0]);
  });

  it("lets a call wait for the first instance", async () => {
    const { clock, membership, call } = setUp(async () => "answer", {}, []);
    const waiting = call({ timeoutMs: 3_000, idempotent: true });
    await clock.advance(2_500);
    membership.live("10.0.0.9:1");
    expect(await waiting).toBe("answer");
  });

  it("lets a call wait for the first instance for longer than an attempt may take", async () => {
    const { clock, membership, call } = setUp(never, { attemptTimeoutMs: 200, attempts: 1 }, []);
    const outcome = call({ timeoutMs: 3_000 }).catch((error) => [error.attempts[0].elapsedMs, clock.nowMs()]);
    await clock.advance(1_000);
    membership.live("10.0.0.9:1");
    await clock.advance(2_000);
    expect(await outcome).toEqual([200, 1_200]);
  });

  it("takes the timer with it when all calls have succeeded", async () => {
    const { clock, call } = setUp(async () => "answer");
    for (let n = 0; n < 50; n += 1) await call({ timeoutMs: 3_000, idempotent: n % 2 === 0 });
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(3_000);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a slow attempt of an idempotent call", () => {
  it("is left running while another starts elsewhere after its share of the time", async () => {
    const { clock, settle, tried, connections, ended } = setUp((n) => (n === 1 ? answerIn(clock, 2_000) : never()));
    const { value, atMs } = await settle({ idempotent: true, timeoutMs: 3_000 });
    expect([value, atMs]).toEqual(["late", 2_000]);
    expect(tried.map(({ atMs }) => atMs)).toEqual([0, 1_000, 2_000].slice(0, tried.length));
    expect(tried.length).toBeGreaterThanOrEqual(2);
    expect(new Set(tried.map(({ address }) => address)).size).toBe(tried.length);
    expect(connections.to(tried[0]!.address).suspicions).toEqual([1_000]);
    expect(ended.filter(({ kind }) => kind === "cancelled")).toHaveLength(tried.length - 1);
    expect(ended.filter(({ kind }) => kind === "ok")).toHaveLength(1);
  });

  it("loses against a faster one, and is cancelled", async () => {
    const cancelled: number[] = [];
    const { settle, tried, ended } = setUp(async (n, context) => {
      if (n > 1) return "answer";
      context.onCancel(() => void cancelled.push(n));
      return never();
    });
    const { value, atMs } = await settle({ idempotent: true, timeoutMs: 3_000 });
    expect([value, atMs, tried.length]).toEqual(["answer", 1_000, 2]);
    expect(cancelled).toEqual([1]);
    expect(ended.map(({ kind }) => kind).sort()).toEqual(["cancelled", "ok"]);
  });

  it("gets the whole deadline when the call is not idempotent", async () => {
    const { clock, settle, tried } = setUp(() => answerIn(clock, 2_900));
    const { value } = await settle({ timeoutMs: 3_000 });
    expect([value, tried.length]).toEqual(["late", 1]);
  });

  it("has its share counted from the moment that it got an endpoint", async () => {
    const { clock, membership, call, tried } = setUp(never, { attempts: 2 }, []);
    const outcome = call({ idempotent: true, timeoutMs: 3_000 }).catch((error) => error.attempts.length);
    await clock.advance(1_000);
    membership.live(...ADDRESSES);
    await clock.advance(2_000);
    expect(await outcome).toBe(2);
    expect(tried.map(({ atMs }) => atMs)).toEqual([1_000, 2_000]);
  });

  it("may win with a stream while another attempt pauses, and then none follows", async () => {
    let open = () => {};
    const { clock, call, tried } = setUp((n, context) => {
      if (n > 1) return Promise.reject(unavailable());
      return new Promise((resolve) => {
        open = () => {
          context.holdUntil(never());
          resolve("first message");
        };
      });
    });
    const result = call({ idempotent: true, timeoutMs: 3_000 });
    await clock.advance(1_000);
    expect(tried).toHaveLength(2);
    open();
    expect(await result).toBe("first message");
    await clock.advance(1_000);
    expect(tried).toHaveLength(2);
  });

  it("may still win after a later attempt has failed for good", async () => {
    const { clock, settle } = setUp((n) => (n === 1 ? answerIn(clock, 2_500) : Promise.reject(unavailable())));
    expect(await settle({ idempotent: true, timeoutMs: 3_000 })).toMatchObject({ value: "late", atMs: 2_500 });
  });

  it("loses against an answer that no other attempt can better", async () => {
    const notFound = new Failure({ code: "NOT_FOUND", fault: "caller" });
    const { settle, ended } = setUp((n) => (n === 1 ? never() : Promise.reject(notFound)));
    const { error, atMs } = await settle({ idempotent: true, timeoutMs: 3_000 });
    expect([error.code, error.cause, atMs]).toEqual(["CALL_FAILED", notFound, 1_000]);
    expect(ended.map(({ kind }) => kind).sort()).toEqual(["cancelled", "failed"]);
  });

  it("stays alone when the budget is spent", async () => {
    const budget = { deposit: () => {}, withdraw: () => false };
    const { settle, tried } = setUp(never, { budget });
    expect((await settle({ idempotent: true, timeoutMs: 3_000 })).error.code).toBe("DEADLINE_EXCEEDED");
    expect(tried).toHaveLength(1);
  });

  it("is cancelled when attemptTimeoutMs says so, and tried again if that does no harm", async () => {
    const serve: Server = (n) => (n === 1 ? never() : Promise.resolve("answer"));
    const { settle, tried, ended } = setUp(serve, { attemptTimeoutMs: 200 });
    const { value, atMs } = await settle({ idempotent: true, timeoutMs: 3_000 });
    expect(value).toBe("answer");
    expect(atMs).toBeLessThanOrEqual(225);
    expect(tried).toHaveLength(2);
    expect(ended.map(({ kind }) => kind)).toEqual(["failed", "ok"]);

    const once = await setUp(serve, { attemptTimeoutMs: 200 }).settle({ timeoutMs: 3_000 });
    expect(once).toMatchObject({ atMs: 200, error: { code: "DEADLINE_EXCEEDED", attempts: [{}] } });
  });

  it("is cancelled by a timeout layer below, and tried again", async () => {
    const { balancer, clock } = setUp(never);
    const layered = compose(balancer.call, timeout(200), retry({ clock, random: () => 0 }));
    let attempts = 0;
    const operation = () => {
      attempts += 1;
      return attempts === 1 ? never() : Promise.resolve("answer");
    };
    const result = layered(operation, { idempotent: true, timeoutMs: 3_000 });
    await clock.advance(200);
    expect(await result).toBe("answer");
  });
});

describe("cancellation", () => {
  it("reaches every attempt in flight and rejects at once", async () => {
    const aborted: string[] = [];
    const { clock, call, ended } = setUp((_n, { instance, signal }) => {
      signal.addEventListener("abort", () => aborted.push(instance.address));
      return never();
    });
    const abort = new AbortController();
    const result = call({ idempotent: true, timeoutMs: 3_000, signal: abort.signal }).catch((error) => error);
    await clock.advance(1_500);
    abort.abort("user left");
    const error = await result;
    expect(error).toMatchObject({ code: "CANCELLED", cause: "user left" });
    expect(error.attempts).toHaveLength(2);
    expect(aborted).toHaveLength(2);
    expect(ended.map(({ kind }) => kind)).toEqual(["cancelled", "cancelled"]);
  });

  it("ends a pause between attempts", async () => {
    const { clock, call } = setUp(() => Promise.reject(new Failure({ code: "UNAVAILABLE", pushbackMs: 1_000 })));
    const abort = new AbortController();
    const result = call({ idempotent: true, signal: abort.signal, timeoutMs: 3_000 }).catch((error) => error);
    await clock.advance(10);
    abort.abort();
    expect(await result).toMatchObject({ code: "CANCELLED", attempts: [{}] });
    await clock.advance(5_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("comes before the first attempt when the signal has aborted already", async () => {
    const { settle, tried } = setUp(async () => "answer");
    expect((await settle({ signal: AbortSignal.abort("no") })).error).toMatchObject({ code: "CANCELLED", cause: "no" });
    expect(tried).toEqual([]);
  });

  it("still reaches a stream that the call has opened", async () => {
    let told = 0;
    const { call } = setUp(async (_n, context) => {
      context.holdUntil(never());
      context.onCancel(() => {
        told += 1;
      });
      return "first message";
    });
    const abort = new AbortController();
    expect(await call({ signal: abort.signal, timeoutMs: 3_000 })).toBe("first message");
    abort.abort();
    expect(told).toBe(1);
  });
});

it("ends a stream at the deadline of the call that opened it, and leaves nothing behind after its end", async () => {
  const ends: ((outcome: Outcome) => void)[] = [];
  let told = 0;
  const { clock, call } = setUp(async (_n, context) => {
    context.holdUntil(new Promise((resolve) => void ends.push(resolve)));
    context.onCancel(() => {
      told += 1;
    });
    return "first message";
  });
  await call({ timeoutMs: 1_000 });
  await call({ timeoutMs: 1_000 });
  ends[0]?.({ kind: "ok", reached: "maybe-seen" });
  await clock.advance(1_000);
  expect(told).toBe(1);
  expect(clock.pendingTimers).toBe(0);
});

it("keeps the process alive while it pauses or waits for an endpoint, when no connection may do so", async () => {
  const inner = virtualClock();
  let held = 0;
  const clock: Clock = {
    ...inner,
    after(delayMs, callback, options) {
      const timer = inner.after(delayMs, callback);
      if (!options?.hold) return timer;
      held += 1;
      return {
        cancel() {
          held -= 1;
          timer.cancel();
        },
      };
    },
  };
  const membership = manualMembership();
  const connections = manualConnections((address) => address, { outcomeOf: () => neverSent().outcome });
  const balancer = balance(endpoints(membership, connections.connect, { clock }), roundRobin(), { clock });
  const call = compose(balancer.call, retry({ clock, random: () => 0.5 }));
  const abort = new AbortController();
  const calling = call(() => Promise.reject(new Error("down")), { timeoutMs: 3_000, signal: abort.signal }).catch(
    () => {},
  );
  expect(held).toBe(1);
  membership.live(...ADDRESSES);
  await inner.advance(5);
  expect(held).toBe(1);
  abort.abort();
  await calling;
  expect(held).toBe(0);
});

it("leaves no listener on a signal that lives longer than its calls", async () => {
  const { call } = setUp((n) => {
    if (n % 3 === 0) return Promise.reject(neverSent());
    return n % 5 === 0 ? Promise.reject(unavailable()) : Promise.resolve("answer");
  });
  const { signal } = new AbortController();
  for (let n = 0; n < 10_000; n += 1) {
    await call({ signal, timeoutMs: 3_000 }).catch(() => {});
    expect(getEventListeners(signal, "abort").length).toBe(0);
  }
});

it("keeps attempts in a total outage within 1.2 for each call and ten a second", async () => {
  const { clock, call, tried } = setUp(() => Promise.reject(unavailable()));
  const seconds = 60;
  const callsPerSecond = 1_000;
  for (let n = 0; n < (seconds * callsPerSecond) / 10; n += 1) {
    for (let burst = 0; burst < 10; burst += 1) call({ idempotent: true, timeoutMs: 3_000 }).catch(() => {});
    await clock.advance(10_000 / callsPerSecond);
  }
  await clock.advance(3_000);
  const calls = seconds * callsPerSecond;
  expect(tried.length).toBeGreaterThan(calls * 1.15);
  expect(tried.length).toBeLessThanOrEqual(calls * 1.2 + 10 * seconds + 10);
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

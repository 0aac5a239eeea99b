import { describe, expect, it } from "vitest";
import {
  ADDRESSES,
  answerIn,
  Failure,
  never,
  setUp,
  stubborn,
  unavailable,
} from "../../../test/support/retried-calls.js";
import type { CallOptions } from "../call.js";
import type { RetryOptions } from "./retry.js";
import { retry } from "./retry.js";

const ASKED: CallOptions = { idempotent: true, timeoutMs: 10_000 };

/** A service that has answered `calls` calls in 10 ms each, and then does what `serve` says. */
async function warmedUp(
  serve: Parameters<typeof setUp>[0],
  { calls = 200, ...options }: RetryOptions & { calls?: number } = {},
) {
  let warm = false;
  const set = setUp(
    (n, context) => (warm ? serve(n, context) : answerIn(set.clock, 10)),
    { hedge: true, ...options },
    ADDRESSES,
    stubborn,
  );
  for (let n = 0; n < calls; n += 1) void set.call(ASKED);
  await set.clock.advance(200);
  set.tried.length = 0;
  set.ended.length = 0;
  warm = true;
  const startMs = set.clock.nowMs();
  const times = () => set.tried.map(({ atMs }) => Math.round(atMs - startMs));
  return { ...set, startMs, times };
}

describe("a hedged call", () => {
  it("waits for its first copy when the server of the second asks for no more", async () => {
    const { settle, tried, clock } = await warmedUp((n) =>
      n === 1 ? answerIn(clock, 50) : Promise.reject(new Failure({ code: "UNAVAILABLE", pushbackMs: -1 })),
    );
    expect((await settle(ASKED, 1_000)).value).toBe("late");
    expect(tried).toHaveLength(2);
  });

  it("is sent to another endpoint when it takes longer than most, and the loser is cancelled", async () => {
    const { settle, times, tried, ended, startMs, clock, connections } = await warmedUp(async (n) =>
      n === 1 ? never() : answerIn(clock, 5).then(() => "second"),
    );
    const { value, atMs } = await settle(ASKED, 1_000);
    expect([value, Math.round(atMs - startMs)]).toEqual(["second", 15]);
    expect(times()).toEqual([0, 10]);
    expect(new Set(tried.map(({ address }) => address)).size).toBe(2);
    expect(ended.map(({ kind }) => kind).sort()).toEqual(["cancelled", "ok"]);
    // 10 ms of silence say nothing of a connection.
    expect(connections.made.flatMap(({ suspicions }) => suspicions)).toEqual([]);
  });

  it("has the first answer that succeeds, whichever was sent first", async () => {
    const { settle, clock } = await warmedUp((n) =>
      n === 1 ? answerIn(clock, 30).then(() => "first") : answerIn(clock, 500).then(() => "second"),
    );
    expect((await settle(ASKED, 1_000)).value).toBe("first");
  });

  it("is sent again at once when a copy fails in a way that may pass", async () => {
    const { settle, times } = await warmedUp(async (n) => (n === 1 ? Promise.reject(unavailable()) : "answer"));
    expect((await settle(ASKED, 1_000)).value).toBe("answer");
    expect(times()).toEqual([0, 0]);
  });

  it("fails with an answer that no copy can better, and cancels the others", async () => {
    const notFound = new Failure({ code: "NOT_FOUND", fault: "caller" });
    const { settle, ended } = await warmedUp((n) => (n === 1 ? never() : Promise.reject(notFound)));
    expect((await settle(ASKED, 1_000)).error.cause).toBe(notFound);
    expect(ended.map(({ kind }) => kind).sort()).toEqual(["cancelled", "failed"]);
  });

  it.each([
    ["is not idempotent", { timeoutMs: 10_000 }, {}],
    ["finds the budget of retries spent", ASKED, { budget: { deposit: () => {}, withdraw: () => false } }],
  ])("is sent once when it %s", async (_, asked, options) => {
    const { settle, tried } = await warmedUp(never, options);
    await settle(asked, 20_000);
    expect(tried).toHaveLength(1);
  });

  it("is not hedged before enough is known: then its share of the time decides", async () => {
    const { settle, times } = await warmedUp(never, { calls: 99, attempts: 2 });
    await settle(ASKED, 20_000);
    expect(times()).toEqual([0, 5_000]);
  });

  it("is never one that may not be repeated", async () => {
    const { settle, tried } = await warmedUp(never);
    await settle({ ...ASKED, idempotent: false }, 10_000);
    expect(tried).toHaveLength(1);
  });

  it("shares the budget of the retries in an outage, whether servers fail at once or hang", async () => {
    for (const serve of [() => Promise.reject(unavailable()), never]) {
      const { call, clock, tried } = await warmedUp(serve);
      for (let n = 0; n < 2_000; n += 1) {
        call({ ...ASKED, timeoutMs: 1_000 }).catch(() => {});
        await clock.advance(10);
      }
      expect(tried.length).toBeLessThanOrEqual(2_000 * 1.2 + 20 * 10 + 100); // at most a window's reserve had been saved
    }
  });

  it("is measured by its own method", async () => {
    const { call, clock, tried, times } = await warmedUp(never);
    call({ ...ASKED, method: "slow" }).catch(() => {});
    await clock.advance(1_000);
    expect(tried).toHaveLength(1);
    call(ASKED).catch(() => {});
    await clock.advance(1_000);
    expect(times()).toEqual([0, 1_000, 1_010, 1_020]);
  });

  it("makes no attempt for which half of the calls would be too slow", async () => {
    const { settle, tried } = await warmedUp((n) =>
      Promise.reject(new Failure({ code: "UNAVAILABLE", ...(n === 1 && { pushbackMs: 95 }) })),
    );
    expect((await settle({ ...ASKED, timeoutMs: 100 }, 200)).error.code).toBe("CALL_FAILED");
    expect(tried).toHaveLength(1);
  });
});

describe("the load that hedging adds", () => {
  /** Calls at 200 a second whose latency is `latencyMs` of a number in [0, 1). */
  async function load(latencyMs: (share: number, atMs: number) => number, seconds: number, hedge: boolean) {
    let random = 1;
    const draw = () => {
      random = (random * 16_807) % 2_147_483_647;
      return random / 2_147_483_647;
    };
    const set = setUp(() => answerIn(set.clock, latencyMs(draw(), set.clock.nowMs())), { hedge });
    const latencies: number[] = [];
    for (let n = 0; n < seconds * 100; n += 1) {
      for (let burst = 0; burst < 2; burst += 1) {
        const startedMs = set.clock.nowMs();
        void set.call(ASKED).then(() => void latencies.push(set.clock.nowMs() - startedMs));
      }
      await set.clock.advance(10);
    }
    await set.clock.advance(10_000);
    latencies.sort((a, b) => a - b);
    return {
      extra: set.tried.length / (seconds * 200) - 1,
      p99: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    };
  }

  it("is about its share where a few calls are slow, and cuts their latency", async () => {
    const fewSlow = (share: number) => (share < 0.97 ? 5 + 10 * share : 400);
    const plain = await load(fewSlow, 20, false);
    const hedged = await load(fewSlow, 20, true);
    expect(plain).toMatchObject({ extra: 0, p99: 400 });
    expect(hedged.extra).toBeGreaterThan(0.03);
    expect(hedged.extra).toBeLessThanOrEqual(0.05);
    expect(hedged.p99).toBeLessThan(100);
  });

  it("stays within its share when everything turns ten times slower at once", async () => {
    const { extra } = await load((share, atMs) => (5 + 10 * share) * (atMs < 10_000 ? 1 : 10), 20, true);
    expect(extra).toBeLessThanOrEqual(0.05);
  });
});

it("refuses options that are none", () => {
  for (const maxExtraLoad of [0, 1, 5, Number.NaN]) {
    expect(() => retry({ hedge: { maxExtraLoad } })).toThrow(/hedge.maxExtraLoad must be a number above 0/);
  }
  expect(() => retry({ hedge: { minDelayMs: -1 } })).toThrow(/hedge.minDelayMs must be/);
});

import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import {
  ADDRESSES,
  answerIn,
  Failure,
  never,
  neverSent,
  type Server,
  setUp,
  unavailable,
} from "../../../test/support/retried-calls.js";
import { balance } from "../../balancer/balance.js";
import { roundRobin } from "../../balancer/strategies/round-robin.js";
import type { Clock } from "../../clock.js";
import { endpoints } from "../../endpoints/endpointer.js";
import { CallError } from "../../errors.js";
import type { Outcome } from "../../outcome.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import type { Layer } from "../call.js";
import { compose } from "../compose.js";
import { retry } from "./retry.js";

describe("a call over before a layer below has done what it does first", () => {
  it("is not made any more", async () => {
    for (const end of ["deadline", "abort"]) {
      const { clock, balancer } = setUp(never);
      const later: Layer = (next) => async (operation, options) => {
        await answerIn(clock, 2_000);
        return next(operation, options);
      };
      let made = 0;
      const operation = async () => {
        made += 1;
      };
      const leaving = new AbortController();
      const call = compose(balancer.call, later, retry({ clock }));
      const ended = call(operation, { timeoutMs: 1_000, signal: leaving.signal }).catch(({ code }) => code);
      if (end === "abort") leaving.abort();
      await clock.advance(5_000);
      expect(await ended).toBe(end === "abort" ? "CANCELLED" : "DEADLINE_EXCEEDED");
      expect(made).toBe(0);
    }
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

  it("is told of the attempt whose error is the cause, when several run out of time together", async () => {
    const late = new Failure({ code: "DEADLINE_EXCEEDED" });
    // The second of three is the first whose transport notices.
    const server: Server = (n) =>
      n === 2 ? new Promise((_, reject) => void clock.after(664, () => reject(late))) : never();
    const { clock, settle, tried } = setUp(server);
    const { error } = await settle({ idempotent: true, timeoutMs: 1_000 });
    expect(tried).toHaveLength(3);
    expect(error).toMatchObject({ code: "DEADLINE_EXCEEDED", cause: late });
    expect(error.attempts.at(-1)).toMatchObject({ instance: tried[1]?.address, error: late });
    expect(error.message).toContain(`after 3 attempts, the last on ${tried[1]?.address}: no answer within`);
    expect(error.message).not.toContain("before that");
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
    const [first, last] = error.attempts.map((attempt: { instance: string }) => attempt.instance);
    expect(error.message).toBe(
      `the call failed after 2 attempts, the last on ${last}: no answer within 1000 ms; before that, on ${first}: ${failure.message}`,
    );
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

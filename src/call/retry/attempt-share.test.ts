import { describe, expect, it } from "vitest";
import {
  ADDRESSES,
  answerIn,
  Failure,
  never,
  type Server,
  setUp,
  unavailable,
} from "../../../test/support/retried-calls.js";
import { cancelled, overtaken } from "../../outcome.js";
import { compose } from "../compose.js";
import { timeout } from "../timeout.js";
import { retry } from "./retry.js";

describe("a slow attempt of an idempotent call", () => {
  it("is left running while another starts elsewhere after its share of the time", async () => {
    const { clock, settle, tried, connections, ended } = setUp((n) => (n === 1 ? answerIn(clock, 2_000) : never()));
    const { value, atMs } = await settle({ idempotent: true, timeoutMs: 3_000 });
    expect([value, atMs]).toEqual(["late", 2_000]);
    expect(tried.map(({ atMs }) => atMs)).toEqual([0, 1_000, 2_000].slice(0, tried.length));
    expect(tried.length).toBeGreaterThanOrEqual(2);
    expect(new Set(tried.map(({ address }) => address)).size).toBe(tried.length);
    expect(connections.to(tried[0]!.address).suspicions).toEqual([1_000]);
    expect(ended.filter((outcome) => outcome === cancelled)).toHaveLength(tried.length - 1);
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
    expect(ended).toEqual([expect.objectContaining({ kind: "ok" }), overtaken]);
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
    expect(ended).toEqual([expect.objectContaining({ kind: "failed" }), overtaken]);
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

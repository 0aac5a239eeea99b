import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { CallContext } from "../../call/call.js";
import { endpoints } from "../../endpoints/endpointer.js";
import { toError } from "../../errors.js";
import type { Outcome } from "../../outcome.js";
import { seededRandom } from "../../random.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { balance } from "../balance.js";
import type { Meter } from "../meter.js";
import { roundRobin } from "../strategies/round-robin.js";

const A = "10.0.0.1:1";

function setUp({ outcomeOf }: { outcomeOf?: (error: unknown) => Outcome } = {}) {
  const clock = virtualClock();
  const membership = manualMembership();
  const connections = manualConnections((address) => address, outcomeOf && { outcomeOf });
  const endpointer = endpoints(membership, connections.connect, { clock });
  const ended: Outcome[] = [];
  const meter: Meter = { cost: () => 0, begin: () => {}, end: (_call, outcome) => void ended.push(outcome) };
  const balancer = balance(endpointer, roundRobin(), { clock, random: seededRandom(1), metric: () => meter });
  membership.live(A);
  return { clock, membership, connections, call: balancer.call, ended };
}

const never = () => new Promise<never>(() => {});

describe("an attempt", () => {
  it("gives the operation the client and what it should know", async () => {
    const { call } = setUp();
    const seen = await call(
      async (client, { instance, attempt, deadlineMs }) => ({ client, instance, attempt, deadlineMs }),
      {
        timeoutMs: 3_000,
      },
    );
    expect(seen).toEqual({ client: A, instance: { id: A, address: A }, attempt: 1, deadlineMs: 3_000 });
  });

  it("rejects with the very error of the operation (go-kit 33), and with what it throws outright", async () => {
    const { call, ended } = setUp();
    const error = new Error("not found");
    await expect(call(() => Promise.reject(error))).rejects.toBe(error);
    await expect(
      call(() => {
        throw error;
      }),
    ).rejects.toBe(error);
    expect(ended.map(({ kind }) => kind)).toEqual(["failed", "failed"]);
  });

  it("knows without help that a refused connection was never sent and a reset one may have been seen", async () => {
    const { call, ended } = setUp();
    for (const code of ["ECONNREFUSED", "ECONNRESET", "EWHATEVER"]) {
      const cause = Object.assign(new Error(code), { code });
      await call(() => Promise.reject(new TypeError("fetch failed", { cause }))).catch(() => {});
    }
    expect(ended.map(({ reached, code }) => [reached, code])).toEqual([
      ["never-sent", "UNAVAILABLE"],
      ["maybe-seen", "UNAVAILABLE"],
      ["maybe-seen", undefined],
    ]);
  });

  it("asks the connection what an error means", async () => {
    const refused: Outcome = { kind: "failed", reached: "refused", fault: "server", code: "UNAVAILABLE" };
    const { call, ended } = setUp({ outcomeOf: (error) => ({ ...refused, code: toError(error).message }) });
    await call(() => Promise.reject(new Error("GOAWAY"))).catch(() => {});
    expect(ended).toEqual([{ ...refused, code: "GOAWAY" }]);
  });

  it("rejects at its deadline although the operation takes no notice (go-kit 31), and tells the connection", async () => {
    const { clock, call, connections, ended } = setUp();
    const outcome = call(never, { timeoutMs: 3_000 }).catch((error) => [error.code, clock.nowMs()]);
    await clock.advance(5_000);
    expect(await outcome).toEqual(["DEADLINE_EXCEEDED", 3_000]);
    expect(connections.to(A).suspicions).toEqual([3_000]);
    expect(ended).toEqual([{ kind: "failed", reached: "maybe-seen", fault: "server", code: "DEADLINE_EXCEEDED" }]);
  });

  it("succeeds when the answer is in time, and leaves no timer of its own behind", async () => {
    const { clock, call } = setUp();
    for (let n = 0; n < 100; n += 1) expect(await call(async () => n, { timeoutMs: 3_000 })).toBe(n);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(3_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it("rejects when the caller's signal aborts, with the reason as cause, and counts as cancelled", async () => {
    const { call, ended } = setUp();
    const abort = new AbortController();
    const outcome = call(never, { signal: abort.signal });
    abort.abort("user left");
    await expect(outcome).rejects.toMatchObject({ code: "CANCELLED", cause: "user left" });
    expect(ended).toEqual([{ kind: "cancelled", reached: "maybe-seen" }]);
  });

  it("does not run an operation whose caller has already given up", async () => {
    const { call } = setUp();
    let ran = false;
    const operation = async () => {
      ran = true;
    };
    await expect(call(operation, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "CANCELLED" });
    expect(ran).toBe(false);
  });

  it("refuses a timeout that is none", async () => {
    const { call } = setUp();
    await expect(call(async () => 1, { timeoutMs: Number.NaN })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it.each(["deadline", "caller"])(
    "aborts the operation's signal and runs its listeners when the %s ends it",
    async (why) => {
      const { clock, call } = setUp();
      const abort = new AbortController();
      const told: string[] = [];
      let context: CallContext | undefined;
      const operation = (_client: string, given: CallContext) => {
        context = given;
        given.onCancel(({ message }) => void told.push(message));
        given.onCancel(() => void told.push("second"));
        expect(given.signal.aborted).toBe(false);
        return never();
      };
      const ended = call(operation, { timeoutMs: 1_000, signal: abort.signal }).catch((error) => error);
      if (why === "caller") abort.abort();
      await clock.advance(1_000);
      const error = await ended;
      expect(context?.signal.reason).toBe(error);
      expect(told).toEqual([error.message, "second"]);
    },
  );

  it("ends although a listener throws, and tells the others", async () => {
    const { clock, call } = setUp();
    const warned = once(process, "warning");
    const told: string[] = [];
    const operation = (_client: string, context: CallContext) => {
      context.onCancel(() => {
        throw new Error("the listener failed");
      });
      context.onCancel(() => void told.push("told"));
      return never();
    };
    const ended = call(operation, { timeoutMs: 100 }).catch(({ code }) => code);
    await clock.advance(100);
    expect(await ended).toBe("DEADLINE_EXCEEDED");
    expect(told).toEqual(["told"]);
    expect(await warned).toMatchObject([{ message: "the listener failed" }]);
  });

  it("ends although the connection cannot say what an error means", async () => {
    const warned = once(process, "warning");
    const { call, ended } = setUp({
      outcomeOf: () => {
        throw new Error("no opinion");
      },
    });
    const error = new Error("down");
    await expect(call(() => Promise.reject(error))).rejects.toBe(error);
    expect(ended.map(({ reached }) => reached)).toEqual(["maybe-seen"]);
    expect(await warned).toMatchObject([{ message: "no opinion" }]);
  });

  it("shows an aborted signal to an operation that reads it late", async () => {
    const { call } = setUp();
    const abort = new AbortController();
    let context: CallContext | undefined;
    const outcome = call(
      (_client, given) => {
        context = given;
        return never();
      },
      { signal: abort.signal },
    ).catch(() => {});
    abort.abort();
    await outcome;
    expect(context?.signal.aborted).toBe(true);
    let late = false;
    context?.onCancel(() => {
      late = true;
    });
    expect(late).toBe(true);
  });

  it("does not abort the signal of an operation that has succeeded", async () => {
    const { clock, call } = setUp();
    const abort = new AbortController();
    let context: CallContext | undefined;
    const operation = async (_client: string, given: CallContext) => {
      context = given;
      return given.signal.aborted;
    };
    await call(operation, { timeoutMs: 1_000, signal: abort.signal });
    abort.abort();
    await clock.advance(2_000);
    expect(context?.signal.aborted).toBe(false);
  });
});

describe("an operation that goes on, as a stream does", () => {
  function hold() {
    let end: (outcome: Outcome) => void = () => {};
    const held = new Promise<Outcome>((resolve) => {
      end = resolve;
    });
    const told: string[] = [];
    const operation = async (_client: string, context: CallContext) => {
      context.holdUntil(held);
      context.onCancel(({ message }) => void told.push(message));
      return "first message";
    };
    return { operation, told, end: (outcome: Outcome) => end(outcome) };
  }

  it("resolves at once and keeps its pick until the end", async () => {
    const { clock, call, membership, connections, ended } = setUp();
    const { operation, end } = hold();
    expect(await call(operation)).toBe("first message");
    membership.live();
    await clock.advance(1_000);
    expect([ended.length, connections.to(A).closed]).toEqual([0, false]);
    const outcome: Outcome = { kind: "ok", reached: "maybe-seen" };
    end(outcome);
    await clock.advance(0);
    expect(ended).toEqual([outcome]);
    expect(connections.to(A).closed).toBe(true);
  });

  it("leaves no rejection unheard when the operation fails as well", async () => {
    const { call, ended } = setUp();
    const unheard: unknown[] = [];
    const hear = (error: unknown) => void unheard.push(error);
    process.on("unhandledRejection", hear);
    const operation = (_client: string, context: CallContext) => {
      context.holdUntil(Promise.reject(new Error("the stream broke")));
      return Promise.reject(new Error("no first message"));
    };
    await expect(call(operation)).rejects.toThrow("no first message");
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", hear);
    expect(unheard).toEqual([]);
    expect(ended).toHaveLength(1);
  });

  it("is still cancelled by the caller's signal", async () => {
    const { call, ended } = setUp();
    const { operation, told } = hold();
    const abort = new AbortController();
    await call(operation, { signal: abort.signal });
    abort.abort();
    expect(told).toEqual(["the call was cancelled"]);
    expect(ended.map(({ kind }) => kind)).toEqual(["cancelled"]);
  });

  it("is still ended by its deadline", async () => {
    const { clock, call, ended } = setUp();
    const { operation, told } = hold();
    await call(operation, { timeoutMs: 2_000 });
    await clock.advance(2_000);
    expect(told).toHaveLength(1);
    expect(ended.map(({ code }) => code)).toEqual(["DEADLINE_EXCEEDED"]);
  });
});

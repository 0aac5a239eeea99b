import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { never, setUp } from "../../test/support/retried-calls.js";
import { compose } from "./compose.js";
import { detached, type IncomingCall, incomingCall, inheritDeadline, whileAnswering } from "./deadline.js";
import { defaultTimeout } from "./timeout.js";

function nested(marginMs?: number) {
  const set = setUp(never);
  const leaving = new AbortController();
  const state = { answered: false };
  /** A call whose caller waits until `deadlineMs`. */
  const incoming = (deadlineMs = Number.POSITIVE_INFINITY): IncomingCall => ({
    remainingMs: () => deadlineMs - set.clock.nowMs(),
    signal: leaving.signal,
    get answered() {
      return state.answered;
    },
  });
  const layers = [inheritDeadline({ marginMs }), defaultTimeout(10_000)];
  const base = compose<string>((operation, options) => set.balancer.call(operation, options), ...layers);
  /** When the nested call ends, and how. */
  const call = (options?: Parameters<typeof base>[1]) =>
    base(never, options).catch((error) => ({ code: error.code, cause: error.cause, atMs: set.clock.nowMs() }));
  return { ...set, incoming, call, leaving, state };
}

describe("a call made while another is answered", () => {
  it("has the time that its caller still waits, less a margin for the answer", async () => {
    const { clock, incoming, call } = nested();
    const ended = whileAnswering(incoming(1_000), async () => {
      await clock.advance(400);
      return call();
    });
    await clock.advance(10_000);
    expect(await ended).toMatchObject({ code: "DEADLINE_EXCEEDED", atMs: 990 });
  });

  it("keeps back no more than a tenth of what is left", async () => {
    const { clock, incoming, call } = nested();
    const ended = whileAnswering(incoming(50), () => call());
    await clock.advance(100);
    expect(await ended).toMatchObject({ atMs: 45 });
  });

  it("keeps a shorter time of its own", async () => {
    const { clock, incoming, call } = nested();
    const ended = whileAnswering(incoming(1_000), () => call({ timeoutMs: 200 }));
    await clock.advance(1_000);
    expect(await ended).toMatchObject({ atMs: 200 });
  });

  it("is not sent when no time is left", async () => {
    const { clock, incoming, call, ended } = nested();
    await clock.advance(1_000);
    expect(await whileAnswering(incoming(1_000), () => call())).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(ended).toEqual([]);
  });

  it("ends when its caller gives up, and when its own signal aborts", async () => {
    for (const which of ["callers", "own", "own beside the caller's"]) {
      const { incoming, call, leaving, clock } = nested();
      const own = new AbortController();
      const result = whileAnswering(incoming(), () => call(which === "callers" ? {} : { signal: own.signal }));
      await clock.advance(10);
      (which === "own" ? own : which === "callers" ? leaving : leaving).abort(which);
      expect(await result).toEqual({ code: "CANCELLED", cause: which, atMs: 10 });
    }
  });

  it("leaves nothing on a signal that lives on", async () => {
    const { clock, incoming, balancer } = nested();
    const process = new AbortController();
    const call = compose(balancer.call, inheritDeadline());
    const answer = async () => "answer";
    const caller = incoming();
    await whileAnswering(caller, () => call(answer, { signal: process.signal }));
    await whileAnswering(caller, () => call(() => Promise.reject(new Error("no")), { signal: process.signal })).catch(
      () => {},
    );
    await clock.advance(0);
    for (const signal of [process.signal, caller.signal]) {
      expect(getEventListeners(signal as AbortSignal, "abort")).toEqual([]);
      expect(Reflect.ownKeys(signal as AbortSignal).filter((key) => String(key).includes("Dependant"))).toEqual([]);
    }
  });

  it("has a time of its own when it is detached, and after the answer was given", async () => {
    const { clock, incoming, call, leaving, state } = nested();
    const results = whileAnswering(incoming(1_000), () => {
      const background = detached(() => call());
      state.answered = true;
      return Promise.all([background, call()]);
    });
    leaving.abort();
    await clock.advance(10_000);
    expect(await results).toMatchObject([{ atMs: 10_000 }, { atMs: 10_000 }]);
  });
});

it("knows the call that is being answered wherever its handler awaits, and no other", async () => {
  const { incoming } = nested();
  const [one, other] = [incoming(1), incoming(2)];
  const seen = async () => {
    await Promise.resolve();
    return incomingCall();
  };
  expect(await Promise.all([whileAnswering(one, seen), whileAnswering(other, seen), seen()])).toEqual([
    one,
    other,
    undefined,
  ]);
});

it("changes nothing of a call that answers none", async () => {
  const options = { timeoutMs: 5 };
  const seen: unknown[] = [];
  const call = compose<undefined>(async (operation, given) => {
    seen.push(given);
    return operation(undefined, undefined as never); // this operation reads nothing of it
  }, inheritDeadline());
  await call(async () => {}, options);
  expect(seen[0]).toBe(options);
});

it("refuses a margin that is no duration", () => {
  expect(() => inheritDeadline({ marginMs: -1 })).toThrow(/marginMs must be/);
});

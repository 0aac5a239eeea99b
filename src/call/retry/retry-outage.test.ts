import { describe, expect, it } from "vitest";
import { ADDRESSES, balanceOver, neverSent, setUp, unavailable } from "../../../test/support/retried-calls.js";
import { CallError } from "../../errors.js";
import type { CallOptions } from "../call.js";
import { compose } from "../compose.js";
import { retry } from "./retry.js";

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

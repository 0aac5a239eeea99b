import { once } from "node:events";
import { describe, expect, it } from "vitest";
import type { ConnectionStatus } from "../endpoints/endpoint.js";
import { endpoints } from "../endpoints/endpointer.js";
import { RollcallError } from "../errors.js";
import type { Outcome } from "../outcome.js";
import { seededRandom } from "../random.js";
import { manualConnections } from "../testing/manual-connections.js";
import { manualMembership } from "../testing/manual-registry.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { type BalancerOptions, balance } from "./balance.js";
import type { Pick } from "./balancer.js";
import type { Meter } from "./meter.js";
import { roundRobin } from "./strategies/round-robin.js";
import type { Strategy } from "./strategy.js";

const A = "10.0.0.1:1";
const B = "10.0.0.2:1";
const OK: Outcome = { kind: "ok", reached: "maybe-seen" };

function setUp({
  initially = "ready" as ConnectionStatus,
  ...options
}: BalancerOptions & { initially?: ConnectionStatus } = {}) {
  const clock = virtualClock();
  const random = seededRandom(1);
  const membership = manualMembership();
  const connections = manualConnections((address) => address, { initially });
  const endpointer = endpoints(membership, connections.connect, { clock, random });
  const balancer = balance(endpointer, roundRobin(), { clock, random, ...options });
  return { clock, membership, connections, endpointer, balancer };
}

function now<C>(pick: Pick<C> | Promise<Pick<C>>): Pick<C> {
  if (pick instanceof Promise) throw new Error("expected a pick at once");
  return pick;
}

/** Follows a promise without waiting for it. */
function watch<T>(promise: T | Promise<T>) {
  const seen: { value?: T; error?: unknown } = {};
  Promise.resolve(promise).then(
    (value) => {
      seen.value = value;
    },
    (error) => {
      seen.error = error;
    },
  );
  return seen;
}

describe("a pick", () => {
  it("comes at once, and each endpoint in turn", () => {
    const { membership, balancer } = setUp();
    membership.live(A, B);
    const picked = [1, 2, 3, 4].map(() => now(balancer.pick()).endpoint.address);
    expect(new Set(picked.slice(0, 2))).toEqual(new Set([A, B]));
    expect(picked.slice(2)).toEqual(picked.slice(0, 2));
  });

  it("passes over those that were tried before", () => {
    const { membership, balancer } = setUp();
    membership.live(A, B);
    for (let n = 0; n < 5; n += 1) expect(now(balancer.pick({ exclude: new Set([A]) })).endpoint.address).toBe(B);
  });

  it("goes to no endpoint that is not ready while another is", () => {
    const { membership, connections, balancer } = setUp();
    membership.live(A, B);
    connections.to(A).status.set("failing");
    for (let n = 0; n < 5; n += 1) expect(now(balancer.pick()).endpoint.address).toBe(B);
    connections.to(A).status.set("ready");
    connections.to(B).status.set("connecting");
    for (let n = 0; n < 5; n += 1) expect(now(balancer.pick()).endpoint.address).toBe(A);
  });

  it("goes to an endpoint that fails to connect rather than nowhere", () => {
    const { membership, balancer } = setUp({ initially: "failing" });
    membership.live(A);
    expect(now(balancer.pick()).endpoint.address).toBe(A);
  });

  it("goes to what vanished in a mass deletion only when nothing else is ready", () => {
    const { membership, connections, balancer } = setUp();
    const [a, b] = [A, B].map((address) => ({ id: address, address }));
    membership.set({ state: "live", instances: [a!], retained: [b!], revision: 1n, epoch: 1 });
    for (let n = 0; n < 5; n += 1) expect(now(balancer.pick()).endpoint.address).toBe(A);
    membership.set({ state: "live", instances: [], retained: [a!, b!], revision: 2n, epoch: 1 });
    expect(connections.made).toHaveLength(2);
    expect([A, B]).toContain(now(balancer.pick()).endpoint.address);
  });

  it("goes to a retained endpoint that is ready, and not to a registered one that cannot be reached", () => {
    const { membership, connections, balancer } = setUp();
    const [a, b] = [A, B].map((address) => ({ id: address, address }));
    membership.live(A, B);
    connections.to(A).status.set("failing");
    membership.set({ state: "live", instances: [a!], retained: [b!], revision: 2n, epoch: 1 });
    for (let n = 0; n < 3; n += 1) expect(now(balancer.pick()).endpoint.address).toBe(B);
    connections.to(A).status.set("ready");
    for (let n = 0; n < 3; n += 1) expect(now(balancer.pick()).endpoint.address).toBe(A);
  });

  it("goes to the retained at once where nobody is registered, also when it must not wait", async () => {
    const { membership, balancer } = setUp({ whenEmpty: "fail" });
    membership.live(A);
    membership.set({
      state: "live",
      instances: [],
      retained: [{ id: A, address: A }],
      revision: 2n,
      epoch: 1,
    });
    expect(now(balancer.pick()).endpoint.address).toBe(A);
    await balancer.ready();
  });

  it("finds nobody once the retained turned out to be gone", () => {
    const { membership, connections, balancer } = setUp({ whenEmpty: "fail" });
    membership.live(A);
    membership.set({
      state: "live",
      instances: [],
      retained: [{ id: A, address: A }],
      revision: 2n,
      epoch: 1,
    });
    now(balancer.pick()).done({ kind: "failed", reached: "never-sent", fault: "server", code: "UNAVAILABLE" });
    expect(connections.to(A).status.current).toBe("ready");
    expect(() => balancer.pick()).toThrow("none of them can be reached");
  });

  it("goes to what vanished in a mass deletion as soon as it is back", async () => {
    const { clock, membership, connections, balancer } = setUp({ initially: "connecting" });
    const [a, b] = [A, B].map((address) => ({ id: address, address }));
    membership.set({ state: "live", instances: [b!], retained: [a!], revision: 1n, epoch: 1 });
    connections.to(A).status.set("ready");
    const pick = watch(balancer.pick());
    await clock.advance(10);
    expect(pick).toEqual({});
    membership.set({ state: "live", instances: [a!, b!], retained: [], revision: 2n, epoch: 1 });
    await clock.advance(0);
    expect(pick.value?.endpoint.address).toBe(A);
  });

  it("waits for an endpoint that was tried before and cannot be reached, if a deadline ends the waiting", async () => {
    const { clock, membership, connections, balancer } = setUp({ initially: "failing" });
    membership.live(A);
    const exclude = new Set([A]);
    expect(now(balancer.pick({ exclude })).endpoint.address).toBe(A);
    const pick = watch(balancer.pick({ exclude, deadlineMs: 5_000 }));
    await clock.advance(4_000);
    expect(pick).toEqual({});
    connections.to(A).status.set("ready");
    await clock.advance(0);
    expect(pick.value?.endpoint.address).toBe(A);
  });

  it("counts as a call in progress until it is done, and done once", async () => {
    const { clock, membership, connections, balancer } = setUp();
    membership.live(A);
    const first = now(balancer.pick());
    const second = now(balancer.pick());
    membership.live();
    first.done(OK);
    first.done(OK);
    await clock.advance(0);
    expect(connections.to(A).closed).toBe(false);
    second.done(OK);
    await clock.advance(0);
    expect(connections.to(A).closed).toBe(true);
  });

  it("waits for the first connection, a second at most", async () => {
    const { clock, membership, connections, balancer } = setUp({ initially: "connecting" });
    membership.live(A, B);
    const first = watch(balancer.pick());
    await clock.advance(500);
    expect(first).toEqual({});
    connections.to(B).status.set("ready");
    await clock.advance(0);
    expect(first.value?.endpoint.address).toBe(B);
    connections.to(B).status.set("failing");
    const second = watch(balancer.pick());
    await clock.advance(499);
    expect(second).toEqual({});
    await clock.advance(1);
    expect(second.value).toBeDefined();
  });
});

it("asks the strategy nothing while connections are in the making, however many calls wait", async () => {
  const clock = virtualClock();
  const membership = manualMembership();
  const connections = manualConnections((address) => address, { initially: "connecting" });
  let asked = 0;
  const counting: Strategy = (environment) => {
    const distribute = roundRobin()(environment);
    return (candidates) => {
      const pick = distribute(candidates);
      return (context) => {
        asked += 1;
        return pick(context);
      };
    };
  };
  const balancer = balance(endpoints(membership, connections.connect, { clock }), counting, { clock });
  membership.live(...Array.from({ length: 50 }, (_, n) => `10.0.0.${n}:1`));
  const waiting = Array.from({ length: 20 }, () => balancer.pick());
  for (const { status } of connections.made.slice(1)) status.set("failing");
  expect(asked).toBe(0);
  connections.made[0]?.status.set("ready");
  await Promise.all(waiting);
  expect(asked).toBe(20);
});

describe("with nothing to pick", () => {
  it("waits for the first instance and serves those who wait in their order", async () => {
    const { clock, membership, balancer } = setUp();
    const order: number[] = [];
    for (const n of [1, 2, 3]) Promise.resolve(balancer.pick()).then(() => order.push(n));
    await clock.advance(60_000);
    expect(order).toEqual([]);
    membership.live(A);
    await clock.advance(0);
    expect(order).toEqual([1, 2, 3]);
  });

  it.each([
    ["REGISTRY_UNAVAILABLE", "the registry has not answered", () => {}],
    ["NO_INSTANCES", "the service has no instance", (m: ReturnType<typeof manualMembership>) => m.live()],
    [
      "REGISTRY_UNAVAILABLE",
      "the registry went away with no instance known",
      (m: ReturnType<typeof manualMembership>) => {
        m.live();
        m.stale();
      },
    ],
    [
      "NO_USABLE_INSTANCES",
      "every instance is draining",
      (m: ReturnType<typeof manualMembership>) => m.live({ id: A, address: A, draining: true }),
    ],
  ])("rejects with %s at the deadline when %s", async (code, _why, prepare) => {
    const { clock, membership, balancer } = setUp();
    prepare(membership);
    const pick = watch(balancer.pick({ deadlineMs: 3_000 }));
    const call = watch(balancer.call(async () => "never", { timeoutMs: 3_000 }));
    await clock.advance(2_999);
    expect([pick, call]).toEqual([{}, {}]);
    await clock.advance(1);
    expect([pick.error, call.error]).toMatchObject([{ code }, { code }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("rejects at once when it must not wait for an empty set", async () => {
    const { membership, balancer } = setUp({ whenEmpty: "fail" });
    expect(() => balancer.pick()).toThrow(RollcallError);
    await expect(balancer.call(async () => 1)).rejects.toMatchObject({ code: "REGISTRY_UNAVAILABLE" });
    membership.live();
    await expect(balancer.call(async () => 1)).rejects.toMatchObject({ code: "NO_INSTANCES" });
  });

  it("says what to look at: the service, and what the registry or the last attempt ran into", async () => {
    const { membership, balancer } = setUp({ whenEmpty: "fail", service: "book" });
    const reason = () => balancer.call(async () => 1).catch(({ message }) => message);
    const error = new Error("10.0.0.9:2379: connect ECONNREFUSED");
    membership.set({ state: "pending", error });
    expect(await reason()).toBe(
      'the registry has not answered yet, so no instance of "book" is known: 10.0.0.9:2379: connect ECONNREFUSED',
    );
    await expect(balancer.call(async () => 1)).rejects.toMatchObject({ cause: error });
    membership.live();
    expect(await reason()).toContain('the registry holds no instance of "book"');
    membership.stale(error);
    expect(await reason()).toContain('knew no instance of "book" before: 10.0.0.9:2379: connect ECONNREFUSED');
  });

  it("ends waiting at once when the registry is closed before it knew an instance", async () => {
    const { clock, membership, balancer } = setUp({ service: "book" });
    const waiting = [watch(balancer.pick()), watch(balancer.call(async () => "never")), watch(balancer.ready())];
    membership.set({ state: "pending", error: new RollcallError("CLOSED", "the registry is closed") });
    await clock.advance(0);
    const closed = { code: "CLOSED", message: 'the registry is closed, and no instance of "book" was known' };
    expect(waiting.map(({ error }) => error)).toMatchObject([closed, closed, closed]);
    await expect(balancer.call(async () => 1)).rejects.toMatchObject(closed);
    expect(clock.pendingTimers).toBe(0);
  });

  it("stops waiting when the caller's signal aborts", async () => {
    const { clock, membership, balancer } = setUp();
    const abort = new AbortController();
    const pick = watch(balancer.pick({ signal: abort.signal }));
    const call = watch(balancer.call(async () => "never", { signal: abort.signal }));
    abort.abort("enough");
    await clock.advance(0);
    expect([pick.error, call.error]).toMatchObject([
      { code: "CANCELLED", cause: "enough" },
      { code: "CANCELLED", cause: "enough" },
    ]);
    membership.live(A);
    await clock.advance(0);
    expect(pick.value).toBeUndefined();
    const late = watch(balancer.pick({ signal: abort.signal }));
    await clock.advance(0);
    expect(late.error).toMatchObject({ code: "CANCELLED" });
  });

  it("tells those who wait, and those who come, when it is closed", async () => {
    const { clock, membership, balancer, endpointer } = setUp();
    const pick = watch(balancer.pick());
    const call = watch(balancer.call(async () => "never"));
    await balancer.close();
    await balancer.close();
    await clock.advance(0);
    expect([pick.error, call.error]).toMatchObject([{ code: "CLOSED" }, { code: "CLOSED" }]);
    membership.live(A);
    await expect(balancer.call(async () => 1)).rejects.toMatchObject({ code: "CLOSED" });
    expect(endpointer.current).toHaveLength(1);
  });
});

describe("ready", () => {
  it("resolves with the first endpoint that is ready", async () => {
    const { clock, membership, connections, balancer } = setUp({ initially: "failing" });
    let ready = false;
    balancer.ready().then(() => {
      ready = true;
    });
    membership.live(A, B);
    await clock.advance(5_000);
    expect(ready).toBe(false);
    connections.to(A).status.set("ready");
    await clock.advance(0);
    expect(ready).toBe(true);
  });

  it("rejects with why there is none when the signal aborts, and when the balancer is closed", async () => {
    const { membership, balancer } = setUp();
    membership.live();
    const abort = new AbortController();
    const waiting = expect(balancer.ready({ signal: abort.signal })).rejects.toMatchObject({
      code: "CANCELLED",
      cause: { code: "NO_INSTANCES" },
    });
    abort.abort();
    await waiting;
    const closing = expect(balancer.ready()).rejects.toMatchObject({ code: "CLOSED" });
    await balancer.close();
    await closing;
  });
});

describe("a metric", () => {
  function recording() {
    const events: string[] = [];
    const metric = (): Meter => {
      const id = events.push("made");
      return {
        cost: () => id,
        begin: ({ startedMs }) => void events.push(`${id} begins at ${startedMs}`),
        end: (_call, { kind, firstResponseMs }) => void events.push(`${id} ends ${kind} ${firstResponseMs}`),
      };
    };
    return { events, metric };
  }

  it("hears of each call's beginning and end", async () => {
    const { events, metric } = recording();
    const { clock, membership, balancer } = setUp({ metric });
    membership.live(A);
    await clock.advance(5);
    let answer = () => {};
    const call = balancer.call(() => new Promise<void>((resolve) => (answer = resolve)));
    await clock.advance(7);
    answer();
    await call;
    expect(events).toEqual(["made", "1 begins at 5", "1 ends ok 7"]);
  });

  it("harms no call when it throws, and no endpoint stays busy", async () => {
    let broken: "begin" | "end" = "end";
    const fail = (at: typeof broken) => () => {
      if (broken === at) throw new Error(`cannot ${at}`);
    };
    const metric = (): Meter => ({ cost: () => 0, begin: fail("begin"), end: fail("end") });
    const { clock, membership, connections, balancer } = setUp({ metric });
    membership.live(A);
    const warned = once(process, "warning");
    expect(await balancer.call(async () => "answer")).toBe("answer");
    expect(await warned).toMatchObject([{ message: "cannot end" }]);
    broken = "begin";
    await expect(balancer.call(async () => "answer")).rejects.toThrow("cannot begin");
    membership.live();
    await clock.advance(0);
    expect(connections.to(A).closed).toBe(true);
  });

  it("belongs to the address: a reconnect and a new weight change nothing", () => {
    const { events, metric } = recording();
    const { membership, balancer } = setUp({ metric });
    membership.live({ id: A, address: A, weight: 1 });
    membership.live({ id: A, address: A, weight: 2 });
    membership.live();
    membership.live({ id: "other", address: A });
    now(balancer.pick());
    expect(events.filter((event) => event === "made")).toHaveLength(1);
  });

  it("is forgotten a minute after the address left", async () => {
    const { events, metric } = recording();
    const { clock, membership } = setUp({ metric });
    membership.live(A);
    membership.live();
    await clock.advance(60_000);
    membership.live(A);
    expect(events).toHaveLength(1);
    membership.live();
    await clock.advance(60_001);
    membership.live(A);
    expect(events).toHaveLength(2);
  });
});

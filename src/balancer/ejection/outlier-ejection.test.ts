import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, expect, it } from "vitest";
import { endpoints } from "../../endpoints/endpointer.js";
import { cancelled, type Outcome, overtaken, timedOut } from "../../outcome.js";
import { seededRandom } from "../../random.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { balance } from "../balance.js";
import type { Pick, PickRequest } from "../balancer.js";
import { filter } from "../combinators/filter.js";
import type { Metric } from "../meter.js";
import { peakEwma } from "../meters/peak-ewma.js";
import { reluctance } from "../reluctance.js";
import { maglev } from "../strategies/maglev.js";
import { p2c } from "../strategies/p2c.js";
import { roundRobin } from "../strategies/round-robin.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import type { EjectionOptions } from "./ejection-rule.js";

const A = "10.0.0.1:1";
const B = "10.0.0.2:1";
const C = "10.0.0.3:1";
const D = "10.0.0.4:1";
const OK: Outcome = { kind: "ok", reached: "maybe-seen" };
const FAILED: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server", code: "UNAVAILABLE" };
const BUSY: Outcome = { kind: "failed", reached: "maybe-seen", fault: "overload", code: "RESOURCE_EXHAUSTED" };

/** By turns, but at once to whoever costs nothing: to a probe that is due. */
const eager: Strategy = (environment) => {
  const distribute = roundRobin()(environment);
  return <E extends Candidate>(candidates: readonly E[]) => {
    const turn = distribute(candidates);
    return (context: PickContext) =>
      candidates.find((one) => one.cost() === 0 && reluctance(one, context) === 0) ?? turn(context);
  };
};

/** Without jitter, unless there is a `random`: an ejection lasts as long as it may. */
function setUp(
  addresses: readonly string[] = [A, B, C],
  ejection: EjectionOptions = {},
  random = () => 1 - 1e-9,
  strategy = eager,
  metric?: Metric,
) {
  const clock = virtualClock();
  const membership = manualMembership();
  const connections = manualConnections((address) => address);
  const endpointer = endpoints(membership, connections.connect, { clock, random });
  const lines: string[] = [];
  const logger = { warn: (line: string) => void lines.push(line), info: () => {} };
  const balancer = balance(endpointer, strategy, { clock, random, metric, ejection, logger, service: "book" });
  membership.live(...addresses);

  const pick = (request: PickRequest = { idempotent: true }): Pick<string> => {
    const picked = balancer.pick(request);
    if (picked instanceof Promise) throw new Error("expected a pick at once");
    return picked;
  };
  /** A pick of `address`, however often others must be picked before. */
  const pickOf = (address: string): Pick<string> => {
    for (let n = 0; n < 20; n += 1) {
      const picked = pick({});
      if (picked.endpoint.address === address) return picked;
      picked.done(cancelled);
    }
    throw new Error(`${address} is not picked`);
  };
  const send = (address: string, ...outcomes: readonly Outcome[]) => {
    for (const outcome of outcomes) pickOf(address).done(outcome);
  };
  /** Who gets calls that are not probes. */
  const inUse = () => {
    const picks = Array.from({ length: 12 }, () => pick({}));
    for (const picked of picks) picked.done(cancelled);
    return [...new Set(picks.map(({ endpoint }) => endpoint.address))].sort();
  };
  const fail = (address: string) => {
    for (const picked of Array.from({ length: 5 }, () => pickOf(address))) picked.done(FAILED);
  };
  return { clock, membership, connections, balancer, lines, pick, pickOf, send, inUse, fail };
}

describe("an endpoint", () => {
  it("is ejected by five failures in a row, and not by four", () => {
    const { send, inUse } = setUp();
    send(A, FAILED, FAILED, FAILED, FAILED);
    expect(inUse()).toEqual([A, B, C]);
    send(A, FAILED);
    expect(inUse()).toEqual([B, C]);
  });

  it("is ejected when fewer than four fifths of at least five calls succeed, and not with four fifths", () => {
    const { send, inUse } = setUp();
    send(A, OK, OK, FAILED, OK, OK);
    expect(inUse()).toEqual([A, B, C]);
    send(A, FAILED);
    expect(inUse()).toEqual([B, C]);
  });

  it("is ejected by five calls in a row that others had to answer for it, but not by most of them between answers", () => {
    const { send, inUse } = setUp();
    for (let n = 0; n < 20; n += 1) send(A, OK, overtaken, overtaken, OK, overtaken);
    expect(inUse()).toEqual([A, B, C]);
    send(A, OK, overtaken, overtaken, FAILED, overtaken, overtaken);
    expect(inUse()).toEqual([B, C]);
  });

  it("is ejected for longer when others had to answer its probe", async () => {
    const { fail, pick, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    pick().done(overtaken);
    await clock.advance(9_999);
    expect(pick().endpoint.address).not.toBe(A);
    await clock.advance(1);
    expect(pick().endpoint.address).toBe(A);
  });

  it("is not ejected by failures that are ten seconds apart", async () => {
    const { send, inUse, clock } = setUp([A, B, C], { consecutiveFailures: Number.POSITIVE_INFINITY });
    for (let n = 0; n < 10; n += 1) {
      send(A, FAILED, FAILED, FAILED, FAILED);
      await clock.advance(10_000);
    }
    expect(inUse()).toEqual([A, B, C]);
  });

  it.each([
    ["the caller's", { ...FAILED, fault: "caller" } as const],
    ["overload", BUSY],
    ["nobody's, since it was given up", cancelled],
    ["the connection's", { ...FAILED, reached: "never-sent" } as const],
  ])("is not ejected by failures that are %s", (_, outcome) => {
    const { send, inUse } = setUp();
    for (let n = 0; n < 30; n += 1) send(A, outcome);
    expect(inUse()).toEqual([A, B, C]);
  });

  it("is not absolved by overload in between", () => {
    const { send, inUse } = setUp();
    send(A, FAILED, FAILED, BUSY, FAILED, FAILED, BUSY, FAILED);
    expect(inUse()).toEqual([B, C]);
  });

  it.each([
    ["half of five seconds at least", 0, 2_500],
    ["five seconds at most", 1 - 1e-9, 5_000],
  ])("is out for %s", async (_, chance, outMs) => {
    const { fail, pick, clock } = setUp([A, B, C], {}, () => chance);
    fail(A);
    await clock.advance(outMs - 1);
    expect([1, 2, 3].map(() => pick().endpoint.address)).not.toContain(A);
    await clock.advance(1);
    expect(pick().endpoint.address).toBe(A);
  });

  it("gets one call as a probe, and no other before that has ended", async () => {
    const { fail, pick, inUse, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    const probe = pick();
    expect(probe.endpoint.address).toBe(A);
    expect(inUse()).toEqual([B, C]);
    expect(pick().endpoint.address).not.toBe(A);
    probe.done(OK);
    expect(inUse()).toEqual([A, B, C]);
  });

  it("is ejected for longer by a probe that fails", async () => {
    const { fail, pick, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    for (const boundMs of [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      pick().done(FAILED);
      await clock.advance(boundMs - 1);
      expect(pick().endpoint.address).not.toBe(A);
      await clock.advance(1);
    }
    expect(pick().endpoint.address).toBe(A);
  });

  it("is probed by the next call when a probe was given up", async () => {
    const { fail, pick, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    pick().done(cancelled);
    const second = pick();
    expect(second.endpoint.address).toBe(A);
    second.done(OK);
  });

  it("is in use again when its probe says that it is overloaded: it works", async () => {
    const { fail, pick, inUse, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    pick().done(BUSY);
    expect(inUse()).toEqual([A, B, C]);
  });

  it("is in use again as soon as the answer to its probe has begun, though a stream may last for hours", async () => {
    const { fail, inUse, clock, balancer } = setUp();
    fail(A);
    await clock.advance(5_000);
    let end = (_: Outcome) => {};
    await balancer.call(
      async (address, context) => {
        context.holdUntil(new Promise((resolve) => (end = resolve)));
        expect(address).toBe(A);
      },
      { idempotent: true },
    );
    expect(inUse()).toEqual([A, B, C]);
    end(OK);
  });

  it("gets one more call when a probe is not heard of for as long as an ejection lasts", async () => {
    const { fail, pick, inUse, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    const silent = pick();
    await clock.advance(4_999);
    expect(pick().endpoint.address).not.toBe(A);
    await clock.advance(1);
    const second = pick();
    expect([silent, second].map(({ endpoint }) => endpoint.address)).toEqual([A, A]);
    silent.done(FAILED);
    second.done(OK);
    expect(inUse()).toEqual([A, B, C]);
  });

  it("starts afresh when it returns: what was held against it is paid for", async () => {
    const { fail, pick, send, inUse, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    pick().done(OK);
    send(A, FAILED, FAILED, FAILED, FAILED);
    expect(inUse()).toEqual([A, B, C]);
    send(A, FAILED);
    expect(inUse()).toEqual([B, C]);
  });

  it("is ejected for longer when it fails soon after its return, and as the first time after good service", async () => {
    const { fail, pick, clock } = setUp();
    const outMs = async () => {
      fail(A);
      const sinceMs = clock.nowMs();
      while (true) {
        const picked = pick();
        picked.done(OK);
        if (picked.endpoint.address === A) return clock.nowMs() - sinceMs;
        await clock.advance(100);
      }
    };
    expect(await outMs()).toBeLessThanOrEqual(5_000);
    expect(await outMs()).toBeGreaterThan(5_000);
    expect(await outMs()).toBeGreaterThan(10_000);
    await clock.advance(30_000);
    expect(await outMs()).toBeLessThanOrEqual(5_000);
  });

  it("is not judged by calls that began before its return", async () => {
    const { fail, pick, pickOf, inUse, clock } = setUp();
    const late = Array.from({ length: 5 }, () => pickOf(A));
    fail(A);
    await clock.advance(5_000);
    pick().done(OK);
    for (const call of late) call.done(FAILED);
    expect(inUse()).toEqual([A, B, C]);
  });

  it("stays ejected when its instance changes or leaves for a while", async () => {
    const { fail, membership, inUse, pick, clock } = setUp();
    fail(A);
    const [a, b, c] = [A, B, C].map((address) => ({ id: address, address }));
    membership.set({ state: "live", instances: [{ ...a!, weight: 3 }, b!, c!], retained: [], revision: 2n, epoch: 1 });
    expect(inUse()).toEqual([B, C]);
    membership.live(B, C);
    await clock.advance(1_000);
    membership.live(A, B, C);
    expect(inUse()).toEqual([B, C]);
    await clock.advance(5_000);
    expect(pick().endpoint.address).toBe(A);
  });

  it("is probed soon when it has connected anew, however long its ejection", async () => {
    const { fail, pick, connections, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    for (const boundMs of [10_000, 20_000, 40_000, 80_000]) {
      pick().done(FAILED);
      await clock.advance(boundMs);
    }
    pick().done(FAILED);
    connections.to(A).status.set("failing");
    connections.to(A).status.set("ready");
    expect(pick().endpoint.address).not.toBe(A);
    await clock.advance(5_000);
    expect(pick().endpoint.address).toBe(A);
  });

  it("is ejected by deadlines that it missed, though each put its connection in doubt, and for longer each time", async () => {
    const { pick, pickOf, inUse, connections, clock } = setUp();
    const miss = (call: Pick<string>) => {
      connections.to(A).status.set("connecting");
      call.done(timedOut);
      connections.to(A).status.set("ready");
    };
    for (let n = 0; n < 5; n += 1) miss(pickOf(A));
    expect(inUse()).toEqual([B, C]);
    await clock.advance(5_000);
    miss(pick());
    await clock.advance(9_999);
    expect(pick().endpoint.address).not.toBe(A);
    await clock.advance(1);
    expect(pick().endpoint.address).toBe(A);
  });

  it("is not probed while it cannot be reached", async () => {
    const { fail, pick, connections, clock } = setUp();
    fail(A);
    connections.to(A).status.set("failing");
    await clock.advance(60_000);
    for (let n = 0; n < 5; n += 1) expect(pick().endpoint.address).not.toBe(A);
  });
});

describe("a probe", () => {
  it("waits a second for a call that may be repeated, and then takes any", async () => {
    const { fail, pick, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    const early = Array.from({ length: 6 }, () => pick({}).endpoint.address);
    expect(early).not.toContain(A);
    await clock.advance(1_000);
    expect(pick({}).endpoint.address).toBe(A);
  });

  it("is no second attempt while first ones come, and never on an endpoint that was tried", async () => {
    const { fail, pick, clock } = setUp();
    fail(A);
    await clock.advance(5_000);
    expect(pick({ idempotent: true, exclude: new Set([B]) }).endpoint.address).toBe(C);
    await clock.advance(1_000);
    expect(pick({ idempotent: true, exclude: new Set([A]) }).endpoint.address).not.toBe(A);
    expect(pick({ idempotent: true, exclude: new Set([B]) }).endpoint.address).toBe(A);
  });
});

describe("a probe, as any call,", () => {
  const keysOf = (address: string, pick: (request: PickRequest) => Pick<string>) => {
    const keys = Array.from({ length: 60 }, (_, n) => `user-${n}`);
    return keys.filter((hashKey) => pick({ hashKey }).endpoint.address === address);
  };

  it("goes where the strategy lets it: never past a filter", async () => {
    const strategy = filter(roundRobin(), { match: { version: "1" }, fallback: "none" });
    const { membership, fail, pick, clock } = setUp([], {}, undefined, strategy);
    const versions = (...each: string[]) =>
      membership.live(...[A, B, C].map((address, n) => ({ id: address, address, version: each[n]! })));
    versions("1", "1", "1");
    fail(C);
    versions("1", "1", "2"); // the others' calls are not for this one any more
    await clock.advance(60_000);
    const tried = Array.from({ length: 50 }, () => pick().endpoint.address);
    expect(new Set(tried)).toEqual(new Set([A, B]));
    versions("1", "1", "1");
    expect([1, 2, 3].map(() => pick().endpoint.address)).toContain(C);
  });

  it("is one with a key of the endpoint's own, in a strategy that hashes", async () => {
    const { pick, clock } = setUp([A, B, C], {}, undefined, maglev());
    const [own, others] = [keysOf(C, pick), keysOf(A, pick)];
    for (const hashKey of own.slice(0, 5)) pick({ hashKey }).done(FAILED);
    expect(keysOf(C, pick)).toEqual([]);
    await clock.advance(5_000);
    for (const hashKey of others) expect(pick({ hashKey, idempotent: true }).endpoint.address).toBe(A);
    expect(pick({ hashKey: own[0]!, idempotent: true }).endpoint.address).toBe(C);
  });

  it("comes about as soon as p2c draws the endpoint, whatever it cost before", async () => {
    const { pick, clock } = setUp([A, B, C], {}, seededRandom(1), p2c(), peakEwma());
    for (let n = 0; n < 20; n += 1) {
      const picked = pick();
      await clock.advance(10);
      picked.done(OK);
    }
    for (let n = 0; n < 5; n += 1) pick({ exclude: new Set([A, B]) }).done(FAILED);
    await clock.advance(5_000);
    let picks = 1;
    while (pick().endpoint.address !== C) picks += 1;
    expect(picks).toBeLessThan(10); // two of three pairs have it: a longer row of misses is one of 60,000
  });
});

describe("a set", () => {
  it("has at most half of it ejected", () => {
    const { fail, inUse } = setUp([A, B, C, D]);
    for (const address of [A, B, C, D]) fail(address);
    expect(inUse()).toEqual([C, D]);
  });

  it("of three loses one, and of two one", () => {
    const three = setUp([A, B, C]);
    for (const address of [A, B, C]) three.fail(address);
    expect(three.inUse()).toEqual([B, C]);
    const two = setUp([A, B]);
    for (const address of [A, B]) two.fail(address);
    expect(two.inUse()).toEqual([B]);
  });

  it("keeps its last usable endpoint, though all may be ejected", () => {
    const all = setUp([A, B, C], { maxEjected: 1, panicThreshold: 0 });
    for (const address of [A, B, C]) all.fail(address);
    expect(all.inUse()).toEqual([C]);
    const one = setUp([A], { maxEjected: 1, panicThreshold: 0 });
    one.fail(A);
    expect(one.inUse()).toEqual([A]);
  });

  it("is probed soon when one of the ejected works again: what ailed it may have ailed all", async () => {
    const { fail, pick, clock } = setUp([A, B, C, D]);
    fail(A);
    for (const outMs of [5_000, 10_000]) {
      await clock.advance(outMs);
      pick().done(FAILED); // A's probe: from now on it is out for twice as long
    }
    fail(B);
    await clock.advance(5_000);
    const probe = pick();
    expect(probe.endpoint.address).toBe(B);
    probe.done(OK);
    await clock.advance(4_999);
    expect(pick().endpoint.address).not.toBe(A);
    await clock.advance(1);
    expect(pick().endpoint.address).toBe(A); // 10 s before its time
  });

  it("is probed soon when one works again that was as bad and could not be spared", async () => {
    const { fail, pick, send, clock, inUse } = setUp([A, B]);
    fail(A);
    await clock.advance(5_000);
    pick().done(FAILED);
    fail(B);
    expect(inUse()).toEqual([B]);
    send(B, OK);
    await clock.advance(4_999);
    expect(pick().endpoint.address).toBe(B);
    await clock.advance(1);
    expect(pick().endpoint.address).toBe(A);
  });

  it("ejects nobody when the others cannot be reached", () => {
    const { fail, connections, lines } = setUp();
    for (const address of [B, C]) connections.to(address).status.set("failing");
    fail(A);
    expect(lines).toEqual([]);
  });

  it("is in panic while less than half of it is usable, and then nobody counts as ejected", () => {
    const { fail, connections, inUse } = setUp([A, B, C, D]);
    fail(A);
    connections.to(B).status.set("failing");
    expect(inUse()).toEqual([C, D]);
    connections.to(C).status.set("failing");
    expect(inUse()).toEqual([A, D]);
    connections.to(C).status.set("ready");
    expect(inUse()).toEqual([C, D]);
  });

  it("uses an ejected endpoint rather than wait, when nobody else is ready", () => {
    const { fail, connections, inUse } = setUp([A, B], { panicThreshold: 0 });
    fail(A);
    connections.to(B).status.set("failing");
    expect(inUse()).toEqual([A]);
    connections.to(B).status.set("connecting");
    expect(inUse()).toEqual([A]);
  });

  it("is not in panic because it shrank to those that are ejected and as many others", () => {
    const { fail, membership, inUse } = setUp([A, B, C, D]);
    fail(A);
    fail(B);
    membership.live(A, B, C);
    expect(inUse()).toEqual([A, B, C]);
    membership.live(A, C);
    expect(inUse()).toEqual([C]);
    membership.live(A);
    expect(inUse()).toEqual([A]);
  });

  it("is not in panic while new endpoints connect", () => {
    const { fail, membership, lines, inUse, connections } = setUp([A, B]);
    fail(A);
    membership.live(A, B, C, D);
    for (const address of [C, D]) connections.to(address).status.set("connecting");
    expect(inUse()).toEqual([B]);
    expect(lines.filter((line) => line.includes("ignored"))).toEqual([]);
  });
});

describe("what is told", () => {
  it("is an ejection, a return and panic, by an event and a line each", async () => {
    const { fail, pick, connections, clock, lines } = setUp();
    const heard: unknown[] = [];
    const hear = (message: unknown) => void heard.push(message);
    for (const name of ["rollcall:ejection", "rollcall:panic"]) subscribe(name, hear);
    fail(A);
    connections.to(B).status.set("failing");
    connections.to(B).status.set("ready");
    await clock.advance(5_000);
    pick().done(OK);
    for (const name of ["rollcall:ejection", "rollcall:panic"]) unsubscribe(name, hear);

    const reason = "5 failures in a row, the last with UNAVAILABLE";
    const ejected = { service: "book", address: A, state: "ejected", reason, ejected: 1, total: 3 };
    expect(heard).toMatchObject([
      ejected,
      { service: "book", state: "entered", usable: 1, total: 3 },
      { service: "book", state: "left", usable: 2, total: 3 },
      { service: "book", address: A, state: "returned", ejected: 0, total: 3 },
    ]);
    expect(lines.map((line) => line.replace(/[\d.]+ s/, "n s"))).toEqual([
      `10.0.0.1:1 of "book" is ejected for n s: ${reason}; 1 of 3 endpoints are ejected`,
      'ejections of "book" are ignored: only 1 of 3 endpoints are usable',
      'ejections of "book" count again: 2 of 3 endpoints are usable',
      '10.0.0.1:1 of "book" takes calls again, n s after it was ejected',
    ]);
  });

  it("is no further line of an endpoint that stays dead, but an event", async () => {
    const { fail, pick, clock, lines } = setUp();
    fail(A);
    const heard: unknown[] = [];
    const hear = (message: unknown) => void heard.push(message);
    subscribe("rollcall:ejection", hear);
    await clock.advance(5_000);
    pick().done(FAILED);
    unsubscribe("rollcall:ejection", hear);
    expect(heard).toMatchObject([{ state: "ejected", reason: "its probe failed, the last with UNAVAILABLE" }]);
    expect(lines).toHaveLength(1);
  });

  it("is nothing where nobody is ejected: the balancer's default", () => {
    const membership = manualMembership();
    const connections = manualConnections((address) => address);
    const balancer = balance(endpoints(membership, connections.connect), roundRobin());
    membership.live(A, B);
    const picks: (string | undefined)[] = [];
    for (let n = 0; n < 40; n += 1) {
      const picked = balancer.pick();
      if (picked instanceof Promise) throw new Error("expected a pick at once");
      picked.done(FAILED);
      picks.push(picked.endpoint.address);
    }
    expect(new Set(picks.slice(20))).toEqual(new Set([A, B]));
  });
});

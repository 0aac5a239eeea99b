/** Random orders of calls, failures, lost connections, changes of the set and time, and what must hold of ejections in all. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import fc from "fast-check";
import {
  balance,
  type EjectionEvent,
  endpoints,
  type Outcome,
  type PanicEvent,
  type Pick,
  roundRobin,
  seededRandom,
} from "rollcall";
import { manualConnections, manualMembership, virtualClock } from "rollcall/testing";
import { describe, expect, test } from "vitest";
import { hold, timeout } from "./property.js";

const ADDRESSES = [1, 2, 3, 4, 5, 6].map((n) => `10.0.0.${n}:1`);
const OK: Outcome = { kind: "ok", reached: "maybe-seen" };
const FAILED: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server", code: "INTERNAL" };
const CANCELLED: Outcome = { kind: "cancelled", reached: "maybe-seen" };
const OVERLOADED: Outcome = { kind: "failed", reached: "maybe-seen", fault: "overload" };
/** Every call is over before a probe would be given up for silent. */
const LONGEST_CALL_MS = 2_000;
const MAX_EJECTION_MS = 20_000;
/** Half of the first one. A longer one is cut short when the connection comes back, or another endpoint recovers. */
const SHORTEST_EJECTION_MS = 2_500;

type Step =
  | { readonly do: "calls"; readonly count: number; readonly idempotent: boolean; readonly tried: number }
  | { readonly do: "end"; readonly outcome: Outcome }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "sicken"; readonly who: readonly number[]; readonly health: number }
  | { readonly do: "connection"; readonly address: number; readonly state: "ready" | "failing" | "connecting" }
  | { readonly do: "set"; readonly members: readonly number[] };

const anyone = fc.nat(ADDRESSES.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("calls" as const),
      count: fc.integer({ min: 1, max: 60 }),
      idempotent: fc.boolean(),
      tried: fc.oneof(fc.constant(-1), anyone),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("end" as const), outcome: fc.constantFrom(CANCELLED, OVERLOADED) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 4_000 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("sicken" as const),
      who: fc.uniqueArray(anyone, { minLength: 1 }),
      health: fc.constantFrom(0, 0.5, 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("connection" as const),
      address: anyone,
      state: fc.constantFrom("ready", "failing", "connecting"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("set" as const), members: fc.uniqueArray(anyone, { minLength: 1 }) }),
  },
);

class World implements Disposable {
  readonly clock = virtualClock();
  readonly #random: () => number;
  readonly #membership = manualMembership();
  readonly #connections = manualConnections((address) => address);
  readonly #endpointer;
  readonly #balancer;
  readonly #inFlight: { readonly pick: Pick<string>; readonly endsMs: number; readonly probe: boolean }[] = [];
  readonly #health = new Map<string, number>();
  /** As the events tell it, and for how long at least. */
  readonly ejected = new Map<string, { readonly untilMs: number }>();
  /** What the events should not have told: an error thrown at a channel would reach nobody. */
  readonly violations: string[] = [];
  #panicking = false;
  readonly #onEjection = (message: unknown) => this.#heard(message as EjectionEvent);
  readonly #onPanic = (message: unknown) => {
    this.#panicking = (message as PanicEvent).state === "entered";
  };

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    subscribe("rollcall:ejection", this.#onEjection);
    subscribe("rollcall:panic", this.#onPanic);
    const { clock } = this;
    const random = seededRandom(seed + 1);
    this.#endpointer = endpoints(this.#membership, this.#connections.connect, { clock, random, logger: false });
    this.#balancer = balance(this.#endpointer, roundRobin(), {
      clock,
      random,
      ejection: { maxEjectionMs: MAX_EJECTION_MS },
      logger: false,
    });
    this.#membership.live(...ADDRESSES);
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "calls":
        for (let n = 0; n < step.count; n += 1) this.call(step.idempotent, ADDRESSES[step.tried]);
        break;
      case "end":
        for (const { pick } of this.#inFlight.splice(0)) pick.done(step.outcome);
        break;
      case "pass":
        await this.pass(step.ms);
        break;
      case "sicken":
        for (const n of step.who) this.#health.set(ADDRESSES[n]!, step.health);
        break;
      case "connection":
        this.#connect(ADDRESSES[step.address]!, step.state);
        break;
      case "set":
        this.#membership.live(...step.members.map((n) => ADDRESSES[n]!));
        break;
    }
    expect(this.violations).toEqual([]);
  }

  /** Places a call, and holds the choice against what the events have told. */
  call(idempotent: boolean, tried: string | undefined): string | undefined {
    const readyOnes = this.#endpointer.current.filter(({ state }) => state === "ready").map(({ address }) => address);
    const nowMs = this.clock.nowMs();
    const exclude = tried === undefined ? undefined : new Set([tried]);
    const pick = this.#balancer.pick({ idempotent, ...(exclude && { exclude }), deadlineMs: nowMs });
    if (pick instanceof Promise) {
      pick.catch(() => {});
      expect(readyOnes).toEqual([]); // nobody waits while somebody is ready
      return undefined;
    }
    const { address } = pick.endpoint;
    if (readyOnes.length > 0) expect(readyOnes).toContain(address);
    const usable = readyOnes.filter((one) => !this.ejected.has(one));
    if (readyOnes.length > 0 && usable.length === 0) expect(this.#panicking).toBe(true);
    const ejection = this.ejected.get(address);
    const probe = ejection !== undefined && !this.#panicking && readyOnes.length > 0;
    if (probe) {
      expect(nowMs).toBeGreaterThanOrEqual(ejection.untilMs);
      expect(address).not.toBe(tried);
      expect(this.#inFlight.filter((other) => other.probe && other.pick.endpoint.address === address)).toEqual([]);
    }
    this.#inFlight.push({ pick, endsMs: nowMs + this.#random() * LONGEST_CALL_MS, probe });
    return address;
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms;
    this.#inFlight.sort((a, b) => a.endsMs - b.endsMs);
    while (this.#inFlight[0] !== undefined && this.#inFlight[0].endsMs <= untilMs) {
      const { pick, endsMs } = this.#inFlight.shift()!;
      await this.clock.advance(endsMs - this.clock.nowMs());
      pick.done(this.#random() < (this.#health.get(pick.endpoint.address) ?? 1) ? OK : FAILED);
    }
    await this.clock.advance(untilMs - this.clock.nowMs());
  }

  /** Everybody is registered, connected and well again, and calls go on. */
  async heal(): Promise<void> {
    this.#health.clear();
    for (const { instance } of this.#connections.made) this.#connect(instance.address, "ready");
    this.#membership.live(...ADDRESSES);
    for (let waitedMs = 0; waitedMs < MAX_EJECTION_MS + 5_000; waitedMs += 500) {
      this.call(false, undefined);
      await this.pass(500);
    }
  }

  #connect(address: string, state: "ready" | "failing" | "connecting"): void {
    const connection = this.#connections.made.findLast(({ instance }) => instance.address === address);
    connection?.status.set(state);
  }

  #heard({ address, state, forMs = 0, ejected, total, reason }: EjectionEvent): void {
    if (state === "returned") {
      if (!this.ejected.delete(address)) this.violations.push(`${address} returned and was not ejected`);
      return;
    }
    if (!this.ejected.has(address) && ejected > total / 2) this.violations.push(`${ejected} of ${total}: ${reason}`);
    this.ejected.set(address, { untilMs: this.clock.nowMs() + Math.min(forMs, SHORTEST_EJECTION_MS) });
  }

  [Symbol.dispose](): void {
    unsubscribe("rollcall:ejection", this.#onEjection);
    unsubscribe("rollcall:panic", this.#onPanic);
    void this.#balancer.close();
  }
}

describe("ejection", { timeout }, () => {
  test("is limited to half, probes one call at a time, leaves nobody waiting, and ends once all is well", async () => {
    await hold(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 80, size: "max" }), fc.nat(), async (steps, seed) => {
        using world = new World(seed);
        for (const each of steps) await world.take(each);
        await world.heal();
        expect([...world.ejected.keys()]).toEqual([]);
        const used = Array.from({ length: 60 }, () => world.call(false, undefined));
        expect([...new Set(used)].sort()).toEqual(ADDRESSES);
      }),
      60,
    );
  });
});

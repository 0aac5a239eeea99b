import { describe, expect, it } from "vitest";
import { endpoints } from "../../endpoints/endpointer.js";
import type { Outcome } from "../../outcome.js";
import { seededRandom } from "../../random.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { balance } from "../balance.js";
import type { Pick } from "../balancer.js";
import type { InFlight, Metric } from "../meter.js";
import { peakEwma } from "../meters/peak-ewma.js";
import { pending } from "../meters/pending.js";
import { p2c } from "../strategies/p2c.js";
import type { Candidate, Strategy } from "../strategy.js";

const OK: Outcome = { kind: "ok", reached: "maybe-seen" };

/** Picks the first candidate, and shows what any strategy would see. */
function setUp(metric?: Metric) {
  const clock = virtualClock();
  const membership = manualMembership();
  const connections = manualConnections((address) => address);
  let seen: readonly Candidate[] = [];
  const first: Strategy = () => (candidates) => {
    seen = candidates;
    return () => candidates[0];
  };
  const endpointer = endpoints(membership, connections.connect, { clock });
  const balancer = balance(endpointer, first, { clock, random: seededRandom(1), metric });
  const costs = () => Object.fromEntries(seen.map((candidate) => [candidate.address, candidate.cost()]));
  const pick = () => balancer.pick() as Pick<string>; // somebody is ready
  const call = async (tookMs: number) => {
    const picked = pick();
    await clock.advance(tookMs);
    picked.done(OK);
  };
  return { clock, membership, connections, balancer, costs, pick, call };
}

describe("what a candidate costs", () => {
  it("is, without a metric, the calls in progress and one", () => {
    const { membership, costs, pick } = setUp();
    membership.live("a:1", "b:1");
    pick();
    const second = pick();
    expect(costs()).toEqual({ "a:1": 3, "b:1": 1 });
    second.done(OK);
    expect(costs()).toEqual({ "a:1": 2, "b:1": 1 });
  });

  it.each([
    ["without a metric", undefined],
    ["with one", pending()],
  ])("has what the calls in progress add divided by the weight, beside the mean of the weights, %s", (_, metric) => {
    const { membership, costs, pick } = setUp(metric);
    membership.live({ id: "a", address: "a:1", weight: 3 }, { id: "b", address: "b:1", weight: 1 });
    expect(costs()).toEqual({ "a:1": 1, "b:1": 1 });
    for (let n = 0; n < 3; n += 1) pick();
    expect(costs()).toEqual({ "a:1": 1 + 3 / 1.5, "b:1": 1 });
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, undefined])(
    "with %d for a weight is as with the mean",
    (weight) => {
      const { membership, costs, pick } = setUp();
      membership.live(
        { id: "a", address: "a:1", ...(weight !== undefined && { weight }) },
        { id: "b", address: "b:1", weight: 3 },
      );
      for (let n = 0; n < 3; n += 1) pick();
      expect(costs()).toEqual({ "a:1": 4, "b:1": 1 });
    },
  );

  it("is known of an address through updates, a failed connection and an absence of up to a minute", async () => {
    const { clock, membership, connections, costs, call } = setUp(peakEwma({ decayMs: 1e12 }));
    membership.live("a:1", "b:1");
    await call(300);
    membership.live({ id: "a:1", address: "a:1", metadata: { build: "2" } }, "b:1");
    expect(costs()["a:1"]).toBeCloseTo(300_000, -2);
    connections.to("a:1").status.set("failing");
    connections.to("a:1").status.set("ready");
    expect(costs()["a:1"]).toBeCloseTo(300_000, -2);
    membership.live({ id: "another key", address: "a:1" }, "b:1");
    expect(costs()["a:1"]).toBeCloseTo(300_000, -2);
    membership.live("b:1");
    await clock.advance(59_000);
    membership.live("a:1", "b:1");
    expect(costs()["a:1"]).toBeCloseTo(300_000, -2);
    membership.live("b:1");
    await clock.advance(61_000);
    membership.live("a:1", "b:1");
    expect(costs()["a:1"]).toBeLessThan(1_000);
  });

  it("starts, of an address that joins, with the median of the others", async () => {
    const { membership, costs, call } = setUp(peakEwma());
    membership.live("b:1");
    await call(80);
    membership.live("a:1", "b:1");
    expect(costs()["a:1"]).toBeCloseTo(80_000, -2);
  });
});

describe("a stream", () => {
  it("has answered with its first message: its length makes nobody slow", async () => {
    const { clock, membership, balancer, costs } = setUp(peakEwma());
    membership.live("a:1", "b:1");
    let end: (outcome: Outcome) => void = () => {};
    const held = new Promise<Outcome>((resolve) => {
      end = resolve;
    });
    const opened = balancer.call(async (_client, context) => {
      await new Promise<void>((resolve) => void clock.after(40, resolve));
      context.holdUntil(held);
    });
    await clock.advance(40);
    await opened;
    await clock.advance(3_600_000);
    expect(costs()["a:1"]).toBeCloseTo(80_000, -2);
    end(OK);
    await clock.advance(0);
    expect(costs()["a:1"]).toBeCloseTo(40_000, -2);
  });

  it("is told to a meter once, and not after its end", () => {
    const told: InFlight[] = [];
    const { membership, pick } = setUp(() => ({
      cost: () => 0,
      begin: () => {},
      answered: (call) => void told.push(call),
      end: () => {},
    }));
    membership.live("a:1");
    const [stream, ended] = [pick(), pick()];
    stream.answered();
    stream.answered();
    ended.done(OK);
    ended.answered();
    expect(told).toEqual([stream]);
  });
});

describe("p2c over a balancer", () => {
  it("spreads by weight, within a quarter, while nobody is busy and while all are", async () => {
    for (const inProgress of [1, 8, 64]) {
      const clock = virtualClock();
      const random = seededRandom(inProgress);
      const membership = manualMembership();
      const { connect } = manualConnections((address) => address);
      const balancer = balance(endpoints(membership, connect, { clock }), p2c(), { clock, random, metric: pending() });
      const weights = { "a:1": 1, "b:1": 2, "c:1": 5 };
      membership.live(...Object.entries(weights).map(([address, weight]) => ({ id: address, address, weight })));
      const open: Pick<string>[] = [];
      const counts: Record<string, number> = {};
      for (let n = 0; n < 40_000; n += 1) {
        // Whoever ends is chosen by chance: all servers are equally fast.
        if (open.length === inProgress) open.splice(Math.floor(random() * inProgress), 1)[0]?.done(OK);
        const pick = balancer.pick() as Pick<string>; // all are ready
        open.push(pick);
        counts[pick.endpoint.address] = (counts[pick.endpoint.address] ?? 0) + 1;
      }
      for (const [address, weight] of Object.entries(weights)) {
        // With eight calls in progress the lightest gets 1.20 times its share, whatever the seed.
        const share = (counts[address] ?? 0) / (weight * 5_000);
        expect(Math.abs(share - 1), `${address} of ${inProgress}`).toBeLessThan(0.25);
      }
    }
  });

  it("gives an endpoint of little weight less than twice its share, though its few latencies have lower peaks", async () => {
    const clock = virtualClock();
    const random = seededRandom(3);
    const membership = manualMembership();
    const { connect } = manualConnections((address) => address);
    const balancer = balance(endpoints(membership, connect, { clock }), p2c(), { clock, random, metric: peakEwma() });
    const weights = { "a:1": 1, "b:1": 2, "c:1": 10 };
    membership.live(...Object.entries(weights).map(([address, weight]) => ({ id: address, address, weight })));
    let light = 0;
    for (let n = 0; n < 13_000; n += 1) {
      const pick = balancer.pick() as Pick<string>; // all are ready
      await clock.advance(-5 * Math.log(1 - random()));
      pick.done(OK);
      if (pick.endpoint.address === "a:1") light += 1;
    }
    expect(light / 1_000).toBeGreaterThan(0.8);
    expect(light / 1_000).toBeLessThan(2);
  });

  it("tries an endpoint of little weight of which nothing is known, while nobody is busy", async () => {
    const clock = virtualClock();
    const membership = manualMembership();
    const { connect } = manualConnections((address) => address);
    const options = { clock, random: seededRandom(1), metric: peakEwma() };
    const balancer = balance(endpoints(membership, connect, { clock }), p2c(), options);
    const heavy = ["a:1", "b:1", "c:1"].map((address) => ({ id: address, address, weight: 4 }));
    membership.live(...heavy, { id: "light:1", address: "light:1", weight: 1 });
    let light = 0;
    for (let n = 0; n < 1_300; n += 1) {
      const pick = balancer.pick() as Pick<string>; // all are ready
      await clock.advance(10);
      pick.done(OK);
      if (pick.endpoint.address === "light:1") light += 1;
    }
    expect(Math.abs(light / 100 - 1)).toBeLessThan(0.2);
  });
});

import { describe, expect, it } from "vitest";
import { cancelled, type Outcome, timedOut } from "../../outcome.js";
import { metricContract } from "../../testing/metric-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import type { InFlight } from "../meter.js";
import { type PeakEwmaOptions, peakEwma } from "./peak-ewma.js";

const OK: Outcome = { kind: "ok", reached: "maybe-seen" };
const BROKEN: Outcome = { kind: "failed", reached: "maybe-seen", fault: "server", code: "INTERNAL" };
const REFUSED: Outcome = { kind: "failed", reached: "never-sent", fault: "server", code: "UNAVAILABLE" };
const NOT_FOUND: Outcome = { kind: "failed", reached: "maybe-seen", fault: "caller", code: "NOT_FOUND" };
const BUSY: Outcome = { kind: "failed", reached: "maybe-seen", fault: "overload", code: "RESOURCE_EXHAUSTED" };

/** A meter among peers whose median answer takes 100 ms and of whom the busiest costs 1,000; all costs in milliseconds. */
function setUp(options: PeakEwmaOptions = {}) {
  const clock = virtualClock();
  const known = { medianIdleCost: 100, maxCost: 1_000 };
  const peers = { medianIdleCost: () => known.medianIdleCost * 1_000, maxCost: () => known.maxCost * 1_000 };
  const inMicroseconds = peakEwma(options)(peers, { clock });
  const inMs = (cost: number | undefined) => (cost === undefined ? undefined : cost / 1_000);
  const meter = {
    cost: () => inMicroseconds.cost() / 1_000,
    idleCost: () => inMs(inMicroseconds.idleCost?.()),
    blamelessCost: () => inMs(inMicroseconds.blamelessCost?.()),
    answered: (one: InFlight) => inMicroseconds.answered?.(one),
    end: (one: InFlight, outcome: Outcome) => inMicroseconds.end(one, outcome),
  };
  const begin = () => {
    const call: { startedMs: number; firstResponseMs?: number } = { startedMs: clock.nowMs() };
    inMicroseconds.begin(call);
    return call;
  };
  const call = async (tookMs: number, outcome: Outcome = OK) => {
    const one = begin();
    await clock.advance(tookMs);
    meter.end(one, outcome);
  };
  return { clock, meter, peers: known, begin, call };
}

metricContract({ describe, it }, { name: "peakEwma", make: () => peakEwma() });

describe("peakEwma, of what an answer takes", () => {
  it("starts with the median of its peers, which is as good as the others and no better", () => {
    const { meter } = setUp();
    expect([meter.cost(), meter.idleCost()]).toEqual([100, undefined]);
  });

  it("knows what the first answer took", async () => {
    const { meter, call } = setUp();
    await call(30);
    expect(meter.cost()).toBeCloseTo(30);
  });

  it("believes half of a first answer that is slower than its peers': it may be slow for being the first", async () => {
    const { meter, call } = setUp();
    await call(400);
    expect(meter.cost()).toBeCloseTo(200); // the peers take 100
    await call(400);
    expect(meter.cost()).toBeCloseTo(400);
  });

  it("believes a slower answer at once and faster ones in the course of time", async () => {
    const { clock, meter, call, peers } = setUp();
    await call(200);
    await call(2_000);
    expect(meter.cost()).toBeCloseTo(2_000);
    peers.medianIdleCost = 200;
    for (let n = 0; n < 50; n += 1) await call(200);
    expect(clock.nowMs()).toBe(12_200);
    expect(meter.cost()).toBeCloseTo(200 * 10 ** (1 / Math.E), 0);
  });

  it("moves towards its peers without calls, from above and from below", async () => {
    const { clock, meter, call } = setUp();
    await call(2_000);
    await call(2_000);
    await clock.advance(10_000);
    expect(meter.cost()).toBeCloseTo(100 * 20 ** (1 / Math.E));
    const fast = setUp();
    await fast.call(10);
    await fast.clock.advance(10_000);
    expect(fast.meter.cost()).toBeCloseTo(100 * 0.1 ** (1 / Math.E));
  });

  it("forgets in the time that it is told", async () => {
    const { clock, meter, call } = setUp({ decayMs: 1_000 });
    await call(2_000);
    await call(2_000);
    await clock.advance(1_000);
    expect(meter.cost()).toBeCloseTo(100 * 20 ** (1 / Math.E));
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d for a time", (decayMs) => {
    expect(() => peakEwma({ decayMs })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("takes what the caller did wrong for an answer, if the server gave one", async () => {
    const { meter, call } = setUp();
    await call(30, NOT_FOUND);
    expect(meter.cost()).toBeCloseTo(30);
    const thrown = setUp();
    await thrown.call(50);
    await thrown.clock.advance(10_000);
    const before = thrown.meter.cost();
    await thrown.call(0, { kind: "failed", reached: "maybe-seen", fault: "caller" });
    expect(thrown.meter.cost()).toBe(before);
  });
});

describe("peakEwma, of calls without an answer", () => {
  it("counts the oldest with its age", async () => {
    const { clock, meter, begin, call } = setUp();
    await call(50);
    const oldest = begin();
    await clock.advance(400);
    begin();
    expect(meter.cost()).toBeCloseTo(400 * 3);
    meter.end(oldest, OK);
    expect(meter.cost()).toBeCloseTo(400 * 2);
  });

  it("finds the oldest in whatever order they end", async () => {
    const { clock, meter, begin } = setUp();
    const calls = [];
    for (let n = 0; n < 4; n += 1) {
      calls.push(begin());
      await clock.advance(1_000);
    }
    const [first, second, third, fourth] = calls;
    meter.end(second!, cancelled);
    meter.end(fourth!, cancelled);
    expect(meter.cost()).toBe(4_000 * 3);
    meter.end(first!, { ...cancelled });
    // The one that was cancelled after 4 s says that an answer takes longer than that.
    expect(meter.cost()).toBe(4_000 * 2);
    await clock.advance(8_000);
    expect(meter.cost()).toBe(10_000 * 2);
    meter.end(third!, OK);
    expect(meter.cost()).toBe(10_000);
  });

  it("learns from one that was cancelled only that an answer takes longer", async () => {
    const { meter, call } = setUp();
    await call(50);
    await call(10, cancelled);
    expect(meter.cost()).toBeCloseTo(50, 0);
    await call(500, cancelled);
    expect(meter.cost()).toBeCloseTo(500);
  });

  it("remembers one that timed out as slow", async () => {
    const { meter, call } = setUp();
    await call(50);
    await call(3_000, timedOut);
    expect(meter.idleCost()).toBeCloseTo(3_000);
  });

  it("takes a stream's first response for its answer", async () => {
    const { clock, meter, begin } = setUp();
    const stream = begin();
    await clock.advance(30);
    stream.firstResponseMs = 30;
    meter.answered(stream);
    expect(meter.cost()).toBeCloseTo(30 * 2);
    await clock.advance(3_600_000);
    expect(meter.cost()).toBeCloseTo(100 * 2);
    meter.end(stream, BROKEN);
    expect(meter.idleCost()).toBeCloseTo(100);
  });
});

describe("peakEwma, of failures", () => {
  it.each([
    ["an error of the server", BROKEN],
    ["a refused connection", REFUSED],
    ["overload", BUSY],
  ])("makes %s in a millisecond dear beside the busiest peer, and none faster", async (_, outcome) => {
    const { meter, call } = setUp();
    await call(100);
    for (let n = 0; n < 3; n += 1) await call(1, outcome);
    expect(meter.cost()).toBeGreaterThan(1_500);
    expect(meter.blamelessCost()).toBeCloseTo(100, 0);
  });

  it("soon forgives one, and one in a hundred calls at once", async () => {
    const { clock, meter, call } = setUp();
    await call(100);
    await call(1, BROKEN);
    expect(meter.cost()).toBeGreaterThan(1_000);
    await clock.advance(2_000);
    expect(meter.cost()).toBeLessThan(1_000);
    for (let n = 0; n < 40; n += 1) await call(1);
    expect(meter.cost()).toBeLessThan(120);
  });

  it("follows its peers: what is dear beside a busy one is not beside an idle one", async () => {
    const { meter, peers, call } = setUp();
    await call(100);
    for (let n = 0; n < 3; n += 1) await call(1, BROKEN);
    peers.maxCost = 10;
    expect(meter.cost()).toBeLessThan(120);
  });

  it("leaves a server alone for as long as it asks, and no longer than five minutes", async () => {
    const { clock, meter, call } = setUp();
    await call(1, { ...BUSY, pushbackMs: 60_000 });
    await clock.advance(59_000);
    expect(meter.cost()).toBeGreaterThan(2_000);
    await clock.advance(2_000);
    expect(meter.cost()).toBeLessThan(200);
    await call(1, { ...BUSY, pushbackMs: 1e9 });
    await clock.advance(301_000);
    expect(meter.cost()).toBeLessThan(200);
  });
});

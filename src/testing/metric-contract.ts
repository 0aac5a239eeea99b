/** What every metric owes to the balancer, as tests; in them a meter hears of its calls as from a balancer, each once. */
import assert from "node:assert/strict";
import type { InFlight, Meter, Metric, Peers } from "../balancer/meter.js";
import { cancelled, type Outcome } from "../outcome.js";
import { seededRandom } from "../random.js";
import type { TestFramework } from "./registry-contract.js";
import { type VirtualClock, virtualClock } from "./virtual-clock.js";

export interface MetricUnderTest {
  readonly name: string;
  /** Makes the metric anew; each use of it starts from nothing. */
  readonly make: () => Metric;
}

/** Long enough for any estimate to forget. */
const LONG_MS = 600_000;
const OK: Outcome = { kind: "ok", reached: "maybe-seen" };
const ENDS: readonly Outcome[] = [
  OK,
  { kind: "ok", reached: "maybe-seen", firstResponseMs: 0 },
  { kind: "failed", reached: "never-sent" },
  { kind: "failed", reached: "never-sent", fault: "server", code: "UNAVAILABLE" },
  { kind: "failed", reached: "refused", fault: "server", code: "UNAVAILABLE" },
  { kind: "failed", reached: "maybe-seen", fault: "server", code: "INTERNAL" },
  { kind: "failed", reached: "maybe-seen", fault: "caller", code: "NOT_FOUND" },
  { kind: "failed", reached: "maybe-seen", fault: "overload", code: "RESOURCE_EXHAUSTED", pushbackMs: 2_000 },
  { kind: "failed", reached: "maybe-seen", fault: "server", code: "UNAVAILABLE", pushbackMs: -1 },
  cancelled,
];

export function metricContract({ describe, it }: TestFramework, { name, make }: MetricUnderTest): void {
  const setUp = (peers: Peers = { medianIdleCost: () => 20, maxCost: () => 100 }): Measured => {
    const clock = virtualClock();
    return { clock, meter: make()(peers, { clock }) };
  };

  describe(`${name} as a metric`, () => {
    it("has a cost before the first call, also when nothing is known of anybody", async () => {
      assertCosts(setUp().meter);
      assertCosts(setUp({ medianIdleCost: () => 0, maxCost: () => 0 }).meter);
    });

    it("costs more with each call in progress, and less again with each that ends", async () => {
      const { clock, meter } = setUp();
      const costs = [meter.cost()];
      const calls = Array.from({ length: 5 }, () => begun(meter, clock));
      for (const call of calls.toReversed()) {
        costs.push(meter.cost());
        meter.end(call, cancelled);
      }
      const [idle = 0, ...loaded] = costs;
      assert.ok(loaded.every((cost) => cost > idle));
      assert.deepEqual(
        loaded,
        [...loaded].sort((a, b) => b - a),
      );
      assert.equal(new Set(loaded).size, loaded.length);
    });

    it("costs an idle endpoint the same as before once its calls are over and forgotten, however they ended", async () => {
      for (const outcome of ENDS) {
        const { clock, meter } = setUp();
        const before = meter.cost();
        const calls = Array.from({ length: 5 }, () => begun(meter, clock));
        await clock.advance(20);
        for (const call of calls) meter.end(call, outcome);
        await clock.advance(LONG_MS);
        assertClose(meter.cost(), before);
      }
    });

    it("learns nothing from a call that was cancelled early", async () => {
      const { clock, meter } = setUp();
      await measured(meter, clock, 50);
      const before = meter.cost();
      for (let n = 0; n < 10; n += 1) meter.end(begun(meter, clock), cancelled);
      assertClose(meter.cost(), before);
    });

    it("takes a stream that has answered for a call in progress, whatever its length", async () => {
      const { clock, meter } = setUp();
      await measured(meter, clock, 50);
      const call = begun(meter, clock);
      await clock.advance(50);
      call.firstResponseMs = 50;
      meter.answered?.(call);
      const streaming = meter.cost();
      await clock.advance(LONG_MS);
      assert.ok(meter.cost() <= streaming, "it became dearer while the stream went on");
      meter.end(call, OK);
      assertCosts(meter);
      assert.ok(meter.cost() < streaming);
    });

    it("stays finite and never negative through any course of calls, and repeats itself", async () => {
      for (const seed of [1, 2, 3]) {
        assert.deepEqual(await randomCourse(setUp(), seed), await randomCourse(setUp(), seed));
      }
    });
  });
}

interface Measured {
  readonly clock: VirtualClock;
  readonly meter: Meter;
}

interface Stream extends InFlight {
  firstResponseMs?: number;
}

function begun(meter: Meter, clock: VirtualClock): Stream {
  const call: Stream = { startedMs: clock.nowMs() };
  meter.begin(call);
  return call;
}

async function measured(meter: Meter, clock: VirtualClock, latencyMs: number): Promise<void> {
  const call = begun(meter, clock);
  await clock.advance(latencyMs);
  meter.end(call, OK);
}

/** Begins, answers and ends calls in random order, some in no time at all; the costs along the way. */
async function randomCourse({ clock, meter }: Measured, seed: number): Promise<number[]> {
  const random = seededRandom(seed);
  const open: Stream[] = [];
  const costs: number[] = [];
  for (let step = 0; step < 300; step += 1) {
    const chance = random();
    const call = open[Math.floor(random() * open.length)];
    if (call === undefined || chance < 0.4) {
      open.push(begun(meter, clock));
    } else if (chance < 0.5 && call.firstResponseMs === undefined) {
      call.firstResponseMs = clock.nowMs() - call.startedMs;
      meter.answered?.(call);
    } else {
      open.splice(open.indexOf(call), 1);
      meter.end(call, ENDS[Math.floor(random() * ENDS.length)] ?? OK);
    }
    if (chance < 0.3) await clock.advance(random() * 1_000);
    assertCosts(meter);
    costs.push(meter.cost());
  }
  return costs;
}

function assertCosts(meter: Meter): void {
  for (const cost of [meter.cost(), meter.idleCost?.() ?? 0, meter.blamelessCost?.() ?? 0]) {
    assert.ok(cost >= 0 && cost < Number.POSITIVE_INFINITY, `a cost of ${cost}`);
  }
}

/** Within a hundredth. */
function assertClose(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= expected / 100, `${actual} is not ${expected}`);
}

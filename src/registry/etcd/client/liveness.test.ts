import { expect, it } from "vitest";
import { type VirtualClock, virtualClock } from "../../../testing/virtual-clock.js";
import { type Liveness, liveness } from "./liveness.js";

interface Scene {
  readonly clock: VirtualClock;
  readonly listening: Liveness;
  readonly asked: number;
  readonly dead: number;
}

function scene(ask: () => Promise<void>): Scene {
  const clock = virtualClock();
  let asked = 0;
  let dead = 0;
  const count = () => {
    asked += 1;
    return ask();
  };
  const listening = liveness(clock, count, () => {
    dead += 1;
  });
  return {
    clock,
    listening,
    get asked() {
      return asked;
    },
    get dead() {
      return dead;
    },
  };
}

const never = () => new Promise<void>(() => {});
const atOnce = () => Promise.resolve();

it("asks nothing while messages come", async () => {
  const it = scene(never);
  for (let second = 0; second < 10; second += 1) {
    await it.clock.advance(1_000);
    it.listening.heard();
  }
  expect(it).toMatchObject({ asked: 0, dead: 0 });
});

it("asks after 2 s of silence, and gives a member that does not answer up 1.5 s later", async () => {
  const it = scene(never);
  await it.clock.advance(2_000);
  expect(it).toMatchObject({ asked: 1, dead: 0 });
  await it.clock.advance(1_499);
  expect(it.dead).toBe(0);
  await it.clock.advance(1);
  expect(it).toMatchObject({ asked: 1, dead: 1 });
  expect(it.clock.pendingTimers).toBe(0);
});

it("keeps a member that answers, however quiet it is otherwise", async () => {
  const it = scene(atOnce);
  await it.clock.advance(60_000);
  expect(it.dead).toBe(0);
  expect(it.asked).toBeGreaterThan(15);
});

it("takes a message that comes instead of the answer as a sign of life", async () => {
  const it = scene(never);
  await it.clock.advance(3_000);
  it.listening.heard();
  await it.clock.advance(1_000);
  expect(it.dead).toBe(0);
});

it("does not blame the member when our own process stood still", async () => {
  const clock = virtualClock();
  let aheadMs = 0;
  const sleepy = { ...clock, nowMs: () => clock.nowMs() + aheadMs };
  let dead = 0;
  liveness(sleepy, never, () => {
    dead += 1;
  });
  await clock.advance(2_000);
  aheadMs = 20_000; // the timer for the answer rings twenty seconds late
  await clock.advance(1_500);
  expect(dead).toBe(0);
  await clock.advance(1_500);
  expect(dead).toBe(1);
});

it("leaves no timer when it is stopped", async () => {
  const it = scene(never);
  await it.clock.advance(2_500);
  it.listening.stop();
  expect(it.clock.pendingTimers).toBe(0);
});

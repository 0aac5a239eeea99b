import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { type Deadline, DeadlineQueue, deadlineAfter } from "./deadline-queue.js";
import { randomInteger, seededRandom } from "./random.js";
import { virtualClock } from "./testing/virtual-clock.js";

function setUp() {
  const clock = virtualClock();
  const queue = new DeadlineQueue(clock);
  const ran: { dueMs: number; atMs: number }[] = [];
  const entry = (dueMs: number): Deadline => ({
    dueMs,
    queuePosition: -1,
    due: () => void ran.push({ dueMs, atMs: clock.nowMs() }),
  });
  return { clock, queue, ran, entry };
}

describe("DeadlineQueue", () => {
  it("runs each entry at its time, in order", async () => {
    const { clock, queue, ran, entry } = setUp();
    for (const dueMs of [30, 10, 20, 10]) queue.add(entry(dueMs));
    await clock.advance(100);
    expect(ran.map(({ atMs }) => atMs)).toEqual([10, 10, 20, 30]);
  });

  it("keeps one timer however many entries there are, and none when all have run", async () => {
    const { clock, queue, entry } = setUp();
    for (let n = 100; n > 0; n -= 1) queue.add(entry(n));
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(200);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not run what was removed, and removes twice without harm", async () => {
    const { clock, queue, ran, entry } = setUp();
    const gone = entry(10);
    queue.add(gone);
    queue.add(entry(20));
    queue.remove(gone);
    queue.remove(gone);
    await clock.advance(50);
    expect(ran.map(({ dueMs }) => dueMs)).toEqual([20]);
  });

  it("sets no timer for an entry that is never due", () => {
    const { clock, queue, entry } = setUp();
    queue.add(entry(Number.POSITIVE_INFINITY));
    expect(clock.pendingTimers).toBe(0);
  });

  it("lets an entry add itself again", async () => {
    const { clock, queue } = setUp();
    const times: number[] = [];
    const again = {
      dueMs: 10,
      queuePosition: -1,
      due() {
        times.push(clock.nowMs());
        this.dueMs += 10;
        if (times.length < 3) queue.add(this);
      },
    };
    queue.add(again);
    await clock.advance(100);
    expect(times).toEqual([10, 20, 30]);
  });

  it("runs the others in time when one throws", async () => {
    const { clock, queue, ran, entry } = setUp();
    const warned = once(process, "warning");
    const due = () => {
      throw new Error("this one failed");
    };
    queue.add({ ...entry(10), due });
    queue.add(entry(20));
    await clock.advance(20);
    expect(await warned).toMatchObject([{ message: "this one failed" }]);
    expect(ran.map(({ atMs }) => atMs)).toEqual([20]);
  });

  it("stays in order through any sequence of adding and removing", async () => {
    const random = seededRandom(3);
    for (let round = 0; round < 50; round += 1) {
      const { clock, queue, ran, entry } = setUp();
      const entries = Array.from({ length: 40 }, () => entry(randomInteger(random, 100)));
      for (const one of entries) queue.add(one);
      const removed = entries.filter(() => random() < 0.4);
      for (const one of removed) queue.remove(one);
      await clock.advance(100);
      const expected = entries.filter((one) => !removed.includes(one)).map(({ dueMs }) => dueMs);
      expect(ran.map(({ dueMs }) => dueMs)).toEqual(expected.sort((a, b) => a - b));
      for (const { dueMs, atMs } of ran) expect(atMs).toBe(dueMs);
    }
  });
});

it("refuses a timeout that is none", () => {
  expect(deadlineAfter(5, 10)).toBe(15);
  expect(deadlineAfter(5, undefined)).toBe(Number.POSITIVE_INFINITY);
  expect(() => deadlineAfter(5, Number.NaN)).toThrow(/timeoutMs must be a number of milliseconds/);
  expect(() => deadlineAfter(5, -1)).toThrow(/timeoutMs must be a number of milliseconds/);
});

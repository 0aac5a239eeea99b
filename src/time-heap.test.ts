import { expect, test } from "vitest";
import { randomInteger, seededRandom } from "./random.js";
import { TimeHeap, type TimeHeapEntry } from "./time-heap.js";

test("gives back what it holds in order of time, whatever comes and goes in between", () => {
  const random = seededRandom(1);
  const heap = new TimeHeap();
  const held = new Set<TimeHeapEntry>();
  for (let step = 0; step < 5_000; step += 1) {
    if (random() < 0.6) {
      const entry = { dueMs: randomInteger(random, 1_000), queuePosition: -1 };
      held.add(entry);
      heap.add(entry);
    } else {
      const gone = [...held][randomInteger(random, held.size)];
      if (gone === undefined) continue;
      held.delete(gone);
      heap.remove(gone);
      heap.remove(gone);
    }
    expect(heap.size).toBe(held.size);
  }
  const times: number[] = [];
  for (let { first } = heap; first !== undefined; first = heap.first) {
    times.push(first.dueMs);
    heap.remove(first);
  }
  expect(times).toEqual([...held].map(({ dueMs }) => dueMs).sort((a, b) => a - b));
});

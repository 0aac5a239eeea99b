import type { Clock, Timer } from "../clock.js";
import { TimeHeap, type TimeHeapEntry } from "../time-heap.js";

/** A clock that stands still until it is told to go on; hours pass in a moment and every run is the same. */
export interface VirtualClock extends Clock {
  /**
   * Lets `durationMs` pass: timers run in order of their time, each seeing its own, and the promises that they settle are
   * waited for before the next one.
   */
  advance(durationMs: number): Promise<void>;
  /**
   * Goes on to the next timer, runs it and returns true; false, and nothing is done, when there is none before or at
   * `untilMs`. What a timer settles has not been told yet when this returns.
   */
  runNext(untilMs?: number): boolean;
  /** How many timers are waiting. */
  readonly pendingTimers: number;
}

interface PendingTimer extends TimeHeapEntry {
  /** Of two timers with one time the one that was set first runs first. */
  readonly number: number;
  readonly callback: () => void;
}

/** Starts at `startEpochMs` on the wall and 0 on the monotonic clock. */
export function virtualClock(startEpochMs = 0): VirtualClock {
  let nowMs = 0;
  let set = 0;
  const pending = new TimeHeap<PendingTimer>(
    (a, b) => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.number < b.number),
  );

  const runNext = (untilMs = Number.POSITIVE_INFINITY): boolean => {
    const next = pending.first;
    if (next === undefined || next.dueMs > untilMs || next.dueMs === Number.POSITIVE_INFINITY) return false;
    nowMs = next.dueMs;
    pending.remove(next);
    next.callback();
    return true;
  };

  return {
    nowMs: () => nowMs,
    epochMs: () => startEpochMs + nowMs,
    after(delayMs, callback): Timer {
      const timer: PendingTimer = { dueMs: nowMs + Math.max(0, delayMs), queuePosition: -1, number: set++, callback };
      pending.add(timer);
      return { cancel: () => pending.remove(timer) };
    },
    async advance(durationMs) {
      const endMs = nowMs + durationMs;
      await settle();
      while (runNext(endMs)) await settle();
      nowMs = endMs;
    },
    runNext,
    get pendingTimers() {
      return pending.size;
    },
  };
}

/** Lets every promise that can settle without I/O do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

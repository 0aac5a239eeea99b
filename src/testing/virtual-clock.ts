import type { Clock, Timer } from "../clock.js";

/** A clock that stands still until it is told to go on; hours pass in a moment and every run is the same. */
export interface VirtualClock extends Clock {
  /**
   * Lets `durationMs` pass: timers run in order of their time, each seeing its own, and the promises that they settle are
   * waited for before the next one.
   */
  advance(durationMs: number): Promise<void>;
  /** How many timers are waiting. */
  readonly pendingTimers: number;
}

interface PendingTimer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Starts at `startEpochMs` on the wall and 0 on the monotonic clock. */
export function virtualClock(startEpochMs = 0): VirtualClock {
  let nowMs = 0;
  const pending = new Set<PendingTimer>();

  const nextUntil = (limitMs: number): PendingTimer | undefined => {
    let next: PendingTimer | undefined;
    for (const timer of pending) {
      if (timer.atMs <= limitMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  };

  return {
    nowMs: () => nowMs,
    epochMs: () => startEpochMs + nowMs,
    after(delayMs, callback): Timer {
      const timer = { atMs: nowMs + Math.max(0, delayMs), callback };
      pending.add(timer);
      return { cancel: () => void pending.delete(timer) };
    },
    async advance(durationMs) {
      const endMs = nowMs + durationMs;
      await settle();
      for (let timer = nextUntil(endMs); timer; timer = nextUntil(endMs)) {
        nowMs = timer.atMs;
        pending.delete(timer);
        timer.callback();
        await settle();
      }
      nowMs = endMs;
    },
    get pendingTimers() {
      return pending.size;
    },
  };
}

/** Lets every promise that can settle without I/O do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

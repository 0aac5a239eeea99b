/**
 * A clock that stands still while the process does, as `CLOCK_MONOTONIC` does while a machine is suspended: a process that
 * SIGSTOP stops only hears afterwards, by the clock of its system, how long that was.
 */
import type { Clock } from "rollcall";

const TICK_MS = 10;
/** What is longer was a sleep, or as good as one. */
const LONGEST_TICK_MS = 200;

export function suspendedClock(): Clock {
  let nowMs = 0;
  let readMs = performance.now();
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const read = () => {
    const before = readMs;
    readMs = performance.now();
    nowMs += Math.min(readMs - before, LONGEST_TICK_MS);
    return nowMs;
  };
  setInterval(() => {
    const now = read();
    for (const timer of [...timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs <= now && timers.delete(timer)) timer.callback();
    }
  }, TICK_MS).unref();
  return {
    nowMs: read,
    epochMs: () => Date.now(),
    after(delayMs, callback) {
      const timer = { atMs: read() + delayMs, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
  };
}

import { endianness } from "node:os";
import process from "node:process";

/**
 * Time, as everything in rollcall sees it. Passed in, so that a test or a simulator can run hours in a moment and get the
 * same result each time.
 *
 * Decisions use `nowMs`, which is monotonic: a wall clock that jumps must not expire a lease or fail a call.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin; fractional. */
  nowMs(): number;
  /** Wall-clock milliseconds since the Unix epoch, for people to read and for nothing else. */
  epochMs(): number;
  /** Runs `callback` once after `delayMs` (0 or more). Such a timer does not keep the process alive, unless `hold` is set. */
  after(delayMs: number, callback: () => void, options?: { readonly hold?: boolean }): Timer;
}

export interface Timer {
  /** Does nothing when the timer has run or was cancelled before. */
  cancel(): void;
}

// Node runs a longer timer at once, with a warning.
const LONGEST_TIMER_MS = 2 ** 31 - 1;

// A timer this late says that the process stood still: blocked, suspended, or without a processor.
const LATE_MS = 100;

/**
 * The process's own clock. A timer that is late runs after what arrived meanwhile was read. Node runs timers before it reads
 * sockets, so that otherwise a process which stood still would find everybody silent and every deadline passed, with the
 * answers already there.
 */
export const systemClock: Clock = {
  nowMs: systemNowMs,
  epochMs: () => Date.now(),
  after(delayMs, callback, options) {
    const lateMs = systemNowMs() + delayMs + LATE_MS;
    let afterReading: NodeJS.Immediate | undefined;
    const elapsed = () => {
      if (systemNowMs() < lateMs) callback();
      else afterReading = setImmediate(callback);
    };
    const timeout = setTimeout(elapsed, Math.min(delayMs, LONGEST_TIMER_MS));
    if (!options?.hold) timeout.unref();
    return {
      cancel() {
        clearTimeout(timeout);
        clearImmediate(afterReading);
      },
    };
  },
};

const nanoseconds = new BigUint64Array(1);
const halves = new Uint32Array(nanoseconds.buffer);
const LOW = endianness() === "LE" ? 0 : 1;
const latest = new Float64Array(1);
let originMs = 0;
originMs = systemNowMs() - performance.now();

function systemNowMs(): number {
  readSystemTime(latest);
  return latest[0] as number; // just written
}

/**
 * Writes the system clock's `nowMs()` to `time[0]`, for whoever reads it at every call. It is the time of `performance.now()`,
 * which takes 70 ns and puts 16 B on the heap, as every function does that returns a fraction and is not inlined. This takes
 * 45 ns and no memory.
 */
export function readSystemTime(time: Float64Array): void {
  nanoseconds[0] = process.hrtime.bigint();
  time[0] = ((halves[1 - LOW] as number) * 2 ** 32 + (halves[LOW] as number)) / 1e6 - originMs; // there are two halves
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts. Keeps the process alive: somebody waits. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const elapsed = () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    };
    const timer = clock.after(delayMs, elapsed, { hold: true });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

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

/** The process's own clock. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  after(delayMs, callback, options) {
    const timeout = setTimeout(callback, Math.min(delayMs, LONGEST_TIMER_MS));
    if (!options?.hold) timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};

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

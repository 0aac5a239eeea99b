/**
 * Makes calls: as many, as long and as fast as told, so many at a time.
 *
 * With a rate each call has a moment at which it is due, whatever became of those before it. What it is late counts as its
 * own latency: a server that hangs for a second delays a second's worth of calls, and measuring each from when it was at
 * last sent would show one slow call ("coordinated omission", G. Tene).
 */
import { setTimeout as delay } from "node:timers/promises";

export interface Plan {
  /** How many; `Infinity` for no bound. */
  readonly calls: number;
  /** At most so many at a time. */
  readonly callers: number;
  /** How many a second become due; absent: each when a caller is free. */
  readonly perSecond: number | undefined;
  /** No call begins after it; `Infinity` for no bound. */
  readonly durationMs: number;
  /** Once it aborts no call begins; those in progress finish. */
  readonly signal: AbortSignal;
}

/**
 * Resolves with the time that it took, when the last call is over. `call` is told the moment from which its latency counts,
 * as `performance.now()` tells time, and must not reject.
 */
export async function runCallers(plan: Plan, call: (sinceMs: number) => Promise<void>): Promise<number> {
  const { calls, callers, perSecond, signal } = plan;
  const startedMs = performance.now();
  const endMs = startedMs + plan.durationMs;
  let inProgress = 0;
  let onEnd = () => {};
  const oneEnded = () =>
    new Promise<void>((resolve) => {
      onEnd = resolve;
    });

  for (let number = 0; number < calls; number += 1) {
    const dueMs = perSecond === undefined ? undefined : startedMs + (number * 1_000) / perSecond;
    if (dueMs !== undefined && dueMs >= endMs) break;
    if (dueMs !== undefined) await until(dueMs, signal);
    while (inProgress >= callers) await oneEnded();
    const nowMs = performance.now();
    if (signal.aborted || nowMs >= endMs) break;
    inProgress += 1;
    void call(dueMs ?? nowMs).then(() => {
      inProgress -= 1;
      onEnd();
    });
  }
  while (inProgress > 0) await oneEnded();
  return performance.now() - startedMs;
}

async function until(timeMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = timeMs - performance.now();
  if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => {}); // its reader looks at the signal
}

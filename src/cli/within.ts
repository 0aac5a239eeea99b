/**
 * Work with a time limit beside the signal that ends it anyway.
 *
 * Why not `AbortSignal.any([signal, AbortSignal.timeout(ms)])`: Node 20 holds on to neither the timeout nor its timer, and
 * one that has been collected never fires. Here the timer holds the controller.
 */

/** Runs `work` with a signal that aborts when `signal` does, or after `timeoutMs`; `Infinity` for no limit. */
export async function within<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const timer = Number.isFinite(timeoutMs) ? setTimeout(() => limit.abort(), timeoutMs) : undefined;
  try {
    return await work(AbortSignal.any([signal, limit.signal]));
  } finally {
    clearTimeout(timer);
  }
}

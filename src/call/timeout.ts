import { checkDuration } from "../deadline-queue.js";
import type { Layer } from "./call.js";

/**
 * Gives everything below it at most `timeoutMs`; a call that brings a shorter one keeps it. Below `retry` it bounds each
 * attempt, above it the whole call. The time is kept by whoever runs the call, so this layer has no timer.
 */
export function timeout(timeoutMs: number): Layer {
  checkDuration("timeoutMs", timeoutMs);
  return (next) => (operation, options) =>
    next(operation, { ...options, timeoutMs: Math.min(timeoutMs, options?.timeoutMs ?? timeoutMs) });
}

/** Gives `timeoutMs` to a call that brings no timeout of its own; `Infinity` is one. */
export function defaultTimeout(timeoutMs: number): Layer {
  checkDuration("timeoutMs", timeoutMs);
  const alone = { timeoutMs };
  return (next) => (operation, options) => {
    if (options === undefined) return next(operation, alone);
    return next(operation, options.timeoutMs === undefined ? { ...options, timeoutMs } : options);
  };
}

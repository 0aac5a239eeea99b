/**
 * At most so many calls a second, by a bucket of tokens (go-kit's `ratelimit`, over `golang.org/x/time/rate`).
 *
 * For a limit that was agreed on, such as a quota. What a service can take at the moment is found by `concurrencyLimit`.
 */
import { type Clock, systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import type { Layer } from "./call.js";
import { RateQueue } from "./rate-queue.js";

export interface RateLimitOptions {
  /** Calls a second, in the long run. (x/time/rate: `Limit`; Envoy: `tokens_per_fill`.) */
  readonly perSecond: number;
  /** Calls at one moment after a pause; default: a second's worth, at least 1. (x/time/rate: `Burst`; Envoy: `max_tokens`.) */
  readonly burst?: number | undefined;
  /**
   * Whether a call over the rate waits for its turn, if that comes before its deadline; default false: it is refused. (go-kit:
   * `NewDelayingLimiter` and `NewErroringLimiter`.)
   */
  readonly wait?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

/** Refuses with `RATE_LIMITED`. Each call that it wraps has a bucket of its own. */
export function rateLimit({ perSecond, burst, wait = false, clock = systemClock }: RateLimitOptions): Layer {
  if (!(perSecond > 0 && perSecond < Number.POSITIVE_INFINITY)) {
    throw new RollcallError("INVALID_ARGUMENT", `perSecond must be a number of calls above 0, not ${perSecond}`);
  }
  const size = burst ?? Math.max(1, perSecond);
  if (!(size >= 1))
    throw new RollcallError("INVALID_ARGUMENT", `burst must be a number of calls from 1 on, not ${burst}`);

  return (next) => {
    const queue = new RateQueue(perSecond, size, clock);
    return (operation, options = {}) => {
      if (queue.take()) return next(operation, options);
      if (!wait) return Promise.reject(limited(perSecond));
      return queue.join(next, operation, options, () => limited(perSecond));
    };
  };
}

function limited(perSecond: number): RollcallError {
  return new RollcallError(
    "RATE_LIMITED",
    `the call was not sent, because there are more than the ${perSecond} a second that are allowed`,
  );
}

/**
 * At most so many calls a second, by a bucket of tokens (go-kit's `ratelimit`, over `golang.org/x/time/rate`).
 *
 * For a limit that was agreed on, such as a quota. What a service can take at the moment is found by `concurrencyLimit`.
 */
import { checkNumber } from "../check-number.js";
import { type Clock, systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import { refuseUnknownOptions } from "../known-options.js";
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

const DEFAULTS = { wait: false };

const KNOWN: Readonly<Record<keyof RateLimitOptions, true>> = { perSecond: true, burst: true, wait: true, clock: true };

/** Refuses with `RATE_LIMITED`. Each call that it wraps has a bucket of its own. */
export function rateLimit(options: RateLimitOptions): Layer {
  refuseUnknownOptions("rateLimit()", options, KNOWN);
  const { perSecond, wait = DEFAULTS.wait, clock = systemClock } = options;
  checkNumber("perSecond", perSecond, "of calls above 0", perSecond > 0 && perSecond < Number.POSITIVE_INFINITY);
  const { burst = Math.max(1, perSecond) } = options;
  checkNumber("burst", burst, "of calls from 1 on", burst >= 1);

  return (next) => {
    const queue = new RateQueue(perSecond, burst, clock);
    return (operation, callOptions = {}) => {
      if (queue.take()) return next(operation, callOptions);
      if (!wait) return Promise.reject(limited(perSecond));
      return queue.join(next, operation, callOptions, () => limited(perSecond));
    };
  };
}

function limited(perSecond: number): RollcallError {
  return new RollcallError(
    "RATE_LIMITED",
    `the call was not sent, because there are more than the ${perSecond} a second that are allowed`,
  );
}

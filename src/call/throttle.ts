/**
 * Refuses calls here that the service would refuse there (client-side throttling of the SRE book, ch. 21; go-zero's and
 * Kratos's "google breaker").
 *
 *     p = max(0, (requests − K · accepts) / (requests + 1))
 *
 * Why: a server that is overloaded spends time on each request that it refuses. With K = 2 it gets about twice what it
 * accepts: enough to see at once when it accepts more. It is a breaker without states, which lets through what is possible.
 *
 * Why 10 s and not the book's 2 min: calls refused here count as requests, so that after an outage as long as the window
 * about one call a window gets through, and what gets through then grows by a factor e in half a window. With 10 s everything
 * gets through again after about 20 s, with 2 min after five minutes. For the same reason one call a second is always let through.
 */
import { checkNumber, checkWindow } from "../check-number.js";
import { type Clock, systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import { refuseUnknownOptions } from "../known-options.js";
import { type Random, systemRandom } from "../random.js";
import type { Layer } from "./call.js";
import { CallWindow } from "./call-window.js";
import { followAnswer, isAccepted, isServersFault } from "./follow.js";

export interface ThrottleOptions {
  /** How many requests are sent for each that is accepted; default 2. Less refuses earlier. (SRE book: `K`.) */
  readonly k?: number | undefined;
  /** How far back calls count; default 10,000 ms. (SRE book: two minutes; go-zero: 10 s.) */
  readonly windowMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

const DEFAULTS = { k: 2, windowMs: 10_000 };
/** So many failures are no reason yet to refuse anything (go-zero's `protection`). */
const FORGIVEN = 5;
const PROBE_MS = 1_000;

const KNOWN: Readonly<Record<keyof ThrottleOptions, true>> = { k: true, windowMs: true, clock: true, random: true };

/**
 * Refuses with `THROTTLED`, at random, in the measure in which the service fails by its own fault or overload. Each call that it
 * wraps has a window of its own.
 */
export function throttle(options: ThrottleOptions = {}): Layer {
  refuseUnknownOptions("throttle()", options, KNOWN);
  const { k = DEFAULTS.k, windowMs = DEFAULTS.windowMs, clock = systemClock, random = systemRandom } = options;
  checkNumber("k", k, "from 1 on", k >= 1);
  checkWindow("windowMs", windowMs);

  return (next) => {
    const window = new CallWindow(windowMs);
    let sentMs = Number.NEGATIVE_INFINITY;
    return (operation, callOptions) => {
      const nowMs = clock.nowMs();
      const accepts = window.sum("accepted", nowMs);
      const requests = accepts + window.sum("failed", nowMs);
      const excess = requests - FORGIVEN - k * accepts;
      if (random() < excess / (requests + 1) && nowMs - sentMs < PROBE_MS) {
        window.current(nowMs).failed += 1;
        return Promise.reject(throttled(requests, accepts, windowMs));
      }
      sentMs = nowMs;
      return followAnswer(next, operation, callOptions, (outcome) => {
        const ended = window.current(clock.nowMs());
        if (isServersFault(outcome)) ended.failed += 1;
        else if (isAccepted(outcome)) ended.accepted += 1;
      });
    };
  };
}

function throttled(requests: number, accepts: number, windowMs: number): RollcallError {
  const told = `it accepted ${accepts} of ${requests} calls within ${windowMs / 1_000} s`;
  return new RollcallError("THROTTLED", `the call was not sent, because the service is failing: ${told}`);
}

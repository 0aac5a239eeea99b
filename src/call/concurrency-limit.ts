/**
 * Bounds the calls in progress by what the service can take, found by trying (AIMD, as TCP finds its window: Chiu and Jain
 * 1989; Netflix's `AIMDLimit`).
 *
 * Why: a service that slows down is sent more and more calls at a time, by each client, until nothing is finished within its
 * deadline. The limit grows by one for each limit's worth of answers while it is used, and falls by a tenth when the service
 * is overloaded or too late. Calls that were under way before the limit fell do not make it fall again: they met the same
 * moment, and a full window of them would bring it to nothing.
 *
 * Nothing queues here: a call over the limit is refused at once, for a queue would only hide that there are too many.
 */
import { checkNumber } from "../check-number.js";
import { type Clock, systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import { refuseUnknownOptions } from "../known-options.js";
import type { Outcome } from "../outcome.js";
import type { Layer } from "./call.js";
import { follow } from "./follow.js";

export interface ConcurrencyLimitOptions {
  /** Calls at a time, before anything is known; default 20. (Netflix: `initialLimit`.) */
  readonly initial?: number | undefined;
  /** The limit never falls below; default 1. (Netflix: `minLimit`.) */
  readonly min?: number | undefined;
  /** The limit never rises above; default 200. (Netflix: `maxLimit`.) */
  readonly max?: number | undefined;
  /** What is left of the limit after a sign of overload; default 0.9. (Netflix: `backoffRatio`.) */
  readonly backoffRatio?: number | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULTS = { initial: 20, min: 1, max: 200, backoffRatio: 0.9 };
const KNOWN: Readonly<Record<keyof ConcurrencyLimitOptions, true>> = {
  initial: true,
  min: true,
  max: true,
  backoffRatio: true,
  clock: true,
};

const OVERLOADED: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);

/** Refuses with `CONCURRENCY_LIMITED`. Each call that it wraps has a limit of its own; a stream counts until its end. */
export function concurrencyLimit(options: ConcurrencyLimitOptions = {}): Layer {
  refuseUnknownOptions("concurrencyLimit()", options, KNOWN);
  const { min = DEFAULTS.min, max = Math.max(min, DEFAULTS.max) } = options;
  const { initial = Math.min(Math.max(min, DEFAULTS.initial), max) } = options;
  const { backoffRatio = DEFAULTS.backoffRatio, clock = systemClock } = options;
  if (!(min >= 1 && initial >= min && max >= initial)) {
    const given = `min ${min}, initial ${initial}, max ${max}`;
    throw new RollcallError("INVALID_ARGUMENT", `limits must be 1 ≤ min ≤ initial ≤ max, not ${given}`);
  }
  checkNumber("backoffRatio", backoffRatio, "above 0 and below 1", backoffRatio > 0 && backoffRatio < 1);

  return (next) => {
    let limit = initial;
    let inFlight = 0;
    let fellMs = Number.NEGATIVE_INFINITY;
    const adapt = (outcome: Outcome, startedMs: number, besides: number) => {
      if (isOverload(outcome)) {
        if (startedMs < fellMs) return;
        limit = Math.max(min, limit * backoffRatio);
        fellMs = clock.nowMs();
      } else if (outcome.kind === "ok" && besides * 2 >= limit) {
        limit = Math.min(max, limit + 1 / limit);
      }
    };
    return (operation, callOptions) => {
      if (inFlight >= Math.floor(limit)) return Promise.reject(limited(inFlight));
      inFlight += 1;
      const startedMs = clock.nowMs();
      return follow(next, operation, callOptions, (outcome) => {
        adapt(outcome, startedMs, inFlight);
        inFlight -= 1;
      });
    };
  };
}

/** What never reached a server says nothing of its load. */
function isOverload({ kind, reached, fault, code = "" }: Outcome): boolean {
  if (kind !== "failed" || reached === "never-sent") return false;
  return fault === "overload" || (fault === "server" && OVERLOADED.has(code));
}

function limited(inFlight: number): RollcallError {
  return new RollcallError(
    "CONCURRENCY_LIMITED",
    `the call was not sent, because ${inFlight} are in progress, which is all that the service takes at present`,
  );
}

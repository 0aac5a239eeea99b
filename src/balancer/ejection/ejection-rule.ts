import type { BackoffRange } from "../../backoff.js";
import { checkNumber, checkWholeNumber, checkWindow } from "../../check-number.js";
import { refuseUnknownOptions } from "../../known-options.js";

export interface EjectionOptions {
  /**
   * How many failures in a row eject an endpoint; default 5, `Infinity` for no such rule. (Envoy: `consecutive_5xx`, 5;
   * Finagle: consecutive failures, 5; Linkerd: 7.)
   */
  readonly consecutiveFailures?: number | undefined;
  /**
   * An endpoint of whose calls a smaller share succeeds is ejected; default 0.8, 0 for no such rule. (Finagle: required
   * success rate, 0.8; Envoy's `failure_percentage_threshold` is the same from the other side, 85 % failed.)
   */
  readonly minSuccessRate?: number | undefined;
  /** Over what time the share of successes is taken; default 10,000 ms. (Linkerd: 10 s; Finagle: 30 s; Envoy: `interval`, 10 s.) */
  readonly windowMs?: number | undefined;
  /** How many calls must have ended within the window for their share to count; default 5. (Envoy: `failure_percentage_request_volume`, 50; Finagle: 5.) */
  readonly minCalls?: number | undefined;
  /**
   * The longest first ejection; each further one may last twice as long. Half of it is fixed and half is random, so that
   * many clients do not come back together; default 5,000 ms. (Envoy: `base_ejection_time`, 30 s; Finagle: 5 s.)
   */
  readonly baseEjectionMs?: number | undefined;
  /** The longest ejection; default 300,000 ms. (Envoy: `max_ejection_time`, 300 s; Finagle: 300 s.) */
  readonly maxEjectionMs?: number | undefined;
  /**
   * How large a share of the endpoints may be ejected at a time, the last usable one never; default 0.5. (Envoy:
   * `max_ejection_percent`, 10, but always one host.)
   */
  readonly maxEjected?: number | undefined;
  /**
   * Panic: while a smaller share of the endpoints is usable, for whatever reason, ejections are ignored; default 0.5, 0 to
   * ignore them only when nobody else is usable. (Envoy: `healthy_panic_threshold`, 50 %.)
   */
  readonly panicThreshold?: number | undefined;
}

/** All of `EjectionOptions`, checked. */
export interface EjectionRule {
  readonly consecutiveFailures: number;
  readonly minSuccessRate: number;
  readonly windowMs: number;
  readonly minCalls: number;
  readonly ejection: BackoffRange;
  readonly maxEjected: number;
  readonly panicThreshold: number;
}

const DEFAULTS = {
  consecutiveFailures: 5,
  minSuccessRate: 0.8,
  windowMs: 10_000,
  minCalls: 5,
  baseEjectionMs: 5_000,
  maxEjectionMs: 300_000,
  maxEjected: 0.5,
  panicThreshold: 0.5,
};

const KNOWN: Readonly<Record<keyof EjectionOptions, true>> = {
  consecutiveFailures: true,
  minSuccessRate: true,
  windowMs: true,
  minCalls: true,
  baseEjectionMs: true,
  maxEjectionMs: true,
  maxEjected: true,
  panicThreshold: true,
};

/** The rule that the options make. Throws `INVALID_ARGUMENT`. */
export function ejectionRule(options: EjectionOptions): EjectionRule {
  refuseUnknownOptions("ejection", options, KNOWN);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: typeof DEFAULTS = { ...DEFAULTS, ...given };
  for (const name of ["windowMs", "baseEjectionMs", "maxEjectionMs"] as const)
    checkWindow(`ejection.${name}`, all[name]);
  for (const name of ["minSuccessRate", "maxEjected", "panicThreshold"] as const) {
    checkNumber(`ejection.${name}`, all[name], "from 0 to 1", all[name] >= 0 && all[name] <= 1);
  }
  const { consecutiveFailures: failures, minCalls, baseEjectionMs: baseMs, maxEjectionMs: maxMs } = all;
  if (failures !== Number.POSITIVE_INFINITY) checkWholeNumber("ejection.consecutiveFailures", failures, 1);
  checkWholeNumber("ejection.minCalls", minCalls, 1);
  checkNumber("ejection.maxEjectionMs", maxMs, `from baseEjectionMs, ${baseMs}, on`, maxMs >= baseMs);
  const { minSuccessRate, windowMs, maxEjected, panicThreshold } = all;
  const ejection = { baseMs, maxMs };
  return { consecutiveFailures: failures, minSuccessRate, windowMs, minCalls, ejection, maxEjected, panicThreshold };
}

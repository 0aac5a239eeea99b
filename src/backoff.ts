import type { Random } from "./random.js";

export interface BackoffRange {
  /** The longest first delay; each further one may be twice as long. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before trying again for the `failures`-th time (from 1): anything from 0 to a bound that doubles, "full
 * jitter" of the AWS architecture blog. Clients that failed together do not come back together.
 */
export function fullJitter({ baseMs, maxMs }: BackoffRange, failures: number, random: Random): number {
  return random() * Math.min(maxMs, baseMs * 2 ** (failures - 1));
}

/**
 * The same with the first half of the bound kept ("equal jitter"): never shorter than that, and still no two clients alike.
 */
export function equalJitter({ baseMs, maxMs }: BackoffRange, failures: number, random: Random): number {
  return ((1 + random()) / 2) * Math.min(maxMs, baseMs * 2 ** (failures - 1));
}

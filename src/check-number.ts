/** Refuses numbers that an option cannot have: NaN above all, which a missing setting becomes and no comparison finds. */
import { RollcallError } from "./errors.js";

/** Refuses a value that is not in `range`, which says in words what `fits` has found. */
export function checkNumber(name: string, value: unknown, range: string, fits: boolean): void {
  if (typeof value === "number" && fits) return;
  throw new RollcallError("INVALID_ARGUMENT", `${name} must be a number ${range}, not ${String(value)}`);
}

export function checkWholeNumber(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new RollcallError("INVALID_ARGUMENT", `${name} must be a whole number from ${least} on, not ${String(value)}`);
}

/** Refuses a length of time over which nothing can be measured. */
export function checkWindow(name: string, windowMs: number): void {
  checkNumber(name, windowMs, "of milliseconds above 0", windowMs > 0 && windowMs < Number.POSITIVE_INFINITY);
}

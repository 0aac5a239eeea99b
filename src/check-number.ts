import { RollcallError } from "./errors.js";

/** Refuses a value that is not in `range`, which says in words what `fits` has found. */
export function checkNumber(name: string, value: unknown, range: string, fits: boolean): void {
  if (typeof value === "number" && fits) return;
  throw new RollcallError("INVALID_ARGUMENT", `${name} has to be a number, ${range}, not ${String(value)}`);
}

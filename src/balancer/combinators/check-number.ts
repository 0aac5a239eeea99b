import { RollcallError } from "../../errors.js";

/** Refuses what is no number from `least` to `most`. */
export function checkNumber(name: string, value: number, least: number, most: number): void {
  if (typeof value === "number" && value >= least && value <= most) return;
  const range = most === Number.MAX_VALUE ? `${least} or more` : `from ${least} to ${most}`;
  throw new RollcallError("INVALID_ARGUMENT", `${name} has to be a number, ${range}, not ${String(value)}`);
}

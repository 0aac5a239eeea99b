/** Refuses options of a wrong kind, which would else fail at the first call or do something else in silence. */
import { RollcallError } from "./errors.js";

/** `remedy` is how a function is come by: `write p2c()`. */
export function checkFunction(name: string, value: unknown, remedy: string): void {
  if (typeof value !== "function") throw wrongKind(name, `a function: ${remedy}`, value);
}

/** `method` is what each object of the kind can do. */
export function checkObject(name: string, value: unknown, method: string, remedy: string): void {
  const held = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  if (typeof held[method] !== "function") throw wrongKind(name, remedy, value);
}

export function checkFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "boolean") throw wrongKind(name, "true or false", value);
}

export function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.includes(value as string)) return;
  throw wrongKind(name, choices.map((choice) => `"${choice}"`).join(" or "), value);
}

/**
 * For functions without options, which whoever forgets the parentheses passes on to be called with something else. `taker`
 * is the function, as `p2c()`.
 */
export function refuseArguments(taker: string, given: readonly unknown[]): void {
  if (given.length === 0) return;
  throw new RollcallError("INVALID_ARGUMENT", `${taker} takes no options; where it is one itself, write ${taker}`);
}

/** As a message names it, short: the text of a function would be its source. */
export function described(value: unknown): string {
  if (typeof value === "function") return `the function ${value.name || "without a name"}`;
  if (typeof value === "string") return `"${value}"`;
  return Array.isArray(value) ? "a list" : typeof value === "object" && value !== null ? "an object" : String(value);
}

function wrongKind(name: string, wanted: string, value: unknown): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", `\`${name}\` has to be ${wanted}; it is ${described(value)}`);
}

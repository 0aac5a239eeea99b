/** Checks data of unknown shape part by part, and says where it is wrong and what would be right. */
import { RollcallError } from "../errors.js";

/** Returns what `value` is, or throws. `path` is where it stands, e.g. `servers[1].phases[0]`. */
export type Check<T> = (value: unknown, path: string) => T;

export function refuse(path: string, remedy: string): never {
  throw new RollcallError("INVALID_ARGUMENT", `${path === "" ? "the scenario" : path} ${remedy}`);
}

export const text: Check<string> = (value, path) =>
  typeof value === "string" && value !== "" ? value : refuse(path, `must be a text, not ${shown(value)}`);

export const flag: Check<boolean> = (value, path) =>
  typeof value === "boolean" ? value : refuse(path, `must be true or false, not ${shown(value)}`);

/** A number from `least` on, or above it, up to `most`. */
export function number(bounds: { least?: number; above?: number; most?: number; whole?: true }): Check<number> {
  const { least, above, most, whole } = bounds;
  const wanted = [
    `a ${whole ? "whole " : ""}number`,
    ...(least === undefined ? [] : [`from ${least} on`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(most === undefined ? [] : [`up to ${most}`]),
  ].join(" ");
  return (value, path) => {
    const fits =
      typeof value === "number" &&
      Number.isFinite(value) &&
      (!whole || Number.isInteger(value)) &&
      value >= (least ?? Number.NEGATIVE_INFINITY) &&
      value > (above ?? Number.NEGATIVE_INFINITY) &&
      value <= (most ?? Number.POSITIVE_INFINITY);
    return fits ? value : refuse(path, `must be ${wanted}, not ${shown(value)}`);
  };
}

export function oneOf<T extends string>(...names: readonly T[]): Check<T> {
  return (value, path) =>
    names.find((name) => name === value) ?? refuse(path, `must be one of ${names.join(", ")}, not ${shown(value)}`);
}

/** A list with at least one entry. */
export function list<T>(check: Check<T>): Check<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length === 0)
      refuse(path, `must be a list of at least one, not ${shown(value)}`);
    return value.map((each, index) => check(each, `${path}[${index}]`));
  };
}

export function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

/** An object with these fields and no other; those that are absent stay so. */
export function object<T>(fields: { readonly [K in keyof T]-?: Check<T[K] | undefined> }): Check<T> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return (value, path) => {
    const given = record(value, path);
    const stranger = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
    if (stranger !== undefined) refuse(path, `has no field "${stranger}"; it has ${names.join(", ")}`);
    const entries = names.map((name) => {
      const where = path === "" ? name : `${path}.${name}`;
      return [name, fields[name](given[name], where)] as const;
    });
    return Object.fromEntries(entries.filter(([, field]) => field !== undefined)) as T; // each checked by its own entry
  };
}

export function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(path, `must be an object, not ${shown(value)}`);
  }
  return value as Readonly<Record<string, unknown>>; // neither null nor a list
}

function shown(value: unknown): string {
  if (value === undefined) return "absent";
  const written = JSON.stringify(value);
  return written.length > 40 ? `${written.slice(0, 37)}...` : written;
}

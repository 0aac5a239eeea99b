/** Numbers as people write them on a command line. */
import { UsageError } from "./usage-error.js";

/** A whole number from 1 on. */
export function parseCount(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new UsageError(`"${text}" is no whole number above 0`);
}

/** A whole number from 0 on. */
export function parseSeed(text: string): number {
  return text === "0" ? 0 : parseCount(text);
}

/** A number above 0, with or without decimals. */
export function parsePositive(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`"${text}" is no number above 0`);
}

/** `200/s`, or `200` alone. */
export function parseRate(text: string): number {
  const number = text.replace(/\/s$/, "");
  if (/^\d+(?:\.\d+)?$/.test(number) && Number(number) > 0) return parsePositive(number);
  throw new UsageError(`"${text}" is no rate: write calls a second, a number above 0, as 200/s or 200`);
}

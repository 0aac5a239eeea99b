/**
 * What a verb can be told, as one table from which both the parser and the help text are made: an option that is documented
 * exists, and one that exists is documented.
 */
import { parseArgs } from "node:util";
import { RollcallError } from "../index.js";
import { UsageError } from "./usage-error.js";

export interface Option<T> {
  /** What its value is called in the help; absent for a flag. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
  /** The default in words, where it is not one that could be written on the command line. */
  readonly otherwise?: string;
  /** The default as it would be written. */
  readonly default?: string;
  readonly repeatable?: boolean;
  readonly required?: boolean;
  /** What the texts given mean; none when it was not given and has no default. */
  readonly read: (texts: readonly string[]) => T;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;

export type ValuesOf<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never;
};

type Wording = Pick<Option<unknown>, "short" | "otherwise">;

/** An option without a value. */
export function flag(help: string): Option<boolean> {
  return { help, read: (texts) => texts.length > 0 };
}

/** An option with one value. Of several the last counts. */
export function one<T>(
  value: string,
  help: string,
  parse: (text: string) => T,
  wording: Wording & { readonly default: string },
): Option<T>;
export function one<T>(
  value: string,
  help: string,
  parse: (text: string) => T,
  wording?: Wording,
): Option<T | undefined>;
export function one<T>(
  value: string,
  help: string,
  parse: (text: string) => T,
  wording: Wording & { readonly default?: string } = {},
): Option<T | undefined> {
  return {
    value,
    help,
    ...wording,
    read: (texts) => {
      const text = texts.at(-1);
      return text === undefined ? undefined : parse(text);
    },
  };
}

/** An option that has to be given. */
export function required<T>(value: string, help: string, parse: (text: string) => T): Option<T> {
  return { value, help, required: true, read: (texts) => parse(texts.at(-1) ?? "") };
}

/** An option that may be given several times. */
export function many<T>(value: string, help: string, parse: (text: string) => T): Option<readonly T[]> {
  return { value, help, repeatable: true, read: (texts) => texts.map(parse) };
}

export const asText = (text: string): string => text;

export interface ParsedArguments<T extends OptionTable> {
  readonly values: ValuesOf<T>;
  readonly operands: readonly string[];
  /** What follows `--`; absent when there is no `--`. */
  readonly trailing: readonly string[] | undefined;
}

export interface ParsedOptions<T extends OptionTable> extends ParsedArguments<T> {
  /** What has to be given and was not, as it would be written; `values` lacks it. */
  readonly missing: readonly string[];
}

/** Throws a `UsageError` for an option that is not in the table, or that is not written as the table says. */
export function parseOptions<T extends OptionTable>(table: T, args: readonly string[]): ParsedOptions<T> {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(table).map(([name, { value, short }]) => [
        name,
        { type: value === undefined ? "boolean" : "string", multiple: true, ...(short !== undefined && { short }) },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  const texts = new Map<string, string[]>();
  const operands: string[] = [];
  const terminator = tokens.find(({ kind }) => kind === "option-terminator");
  for (const token of tokens) {
    if (token.kind === "positional" && !(terminator && token.index > terminator.index)) operands.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined) throw new UsageError(`there is no option ${rawName}`);
    if (option.value === undefined && value !== undefined) {
      throw new UsageError(`${rawName} takes no value: write it without "=${value}"`);
    }
    if (option.value !== undefined && (value === undefined || (!token.inlineValue && /^-(?!\.?\d)/.test(value)))) {
      throw new UsageError(`${rawName} needs a value: ${rawName} <${option.value}>`);
    }
    texts.set(name, [...(texts.get(name) ?? []), value ?? ""]);
  }
  const lacks = ([name, { required }]: readonly [string, Option<unknown>]) => required === true && !texts.has(name);
  const entries = Object.entries(table);
  const values = entries
    .filter((entry) => !lacks(entry))
    .map(([name, option]) => [name, read(name, option, texts.get(name))]);
  return {
    values: Object.fromEntries(values) as ValuesOf<T>, // each read by its own entry of the table
    operands,
    missing: entries.filter(lacks).map(([name, { value }]) => `${dashed(name)} <${value}>`),
    trailing: terminator && args.slice(terminator.index + 1),
  };
}

function read(name: string, option: Option<unknown>, given: readonly string[] | undefined): unknown {
  const written = option.short === undefined ? dashed(name) : dashed(option.short);
  try {
    return option.read(given ?? (option.default === undefined ? [] : [option.default]));
  } catch (error) {
    if (!(error instanceof UsageError || (error instanceof RollcallError && error.code === "INVALID_ARGUMENT")))
      throw error;
    throw new UsageError(`${written}: ${error.message}`, { cause: error });
  }
}

/** The name as it is written: `-n`, `--ttl`. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

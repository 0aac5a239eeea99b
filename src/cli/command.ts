/** What every verb is: its table of options, what it says of itself, and what it does. */
import type { LineOutput } from "./line-output.js";
import { type OptionTable, type ParsedArguments, parseOptions } from "./options.js";
import { UsageError } from "./usage-error.js";

export interface Operand {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
}

export interface Command<T extends OptionTable = OptionTable> {
  readonly verb: string;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** What it does and how it ends, in lines of at most 100 characters. */
  readonly description: string;
  readonly operands: readonly Operand[];
  readonly options: T;
  /** What may follow `--`; absent where nothing may. */
  readonly trailing?: Operand;
  readonly examples: readonly string[];
  /** Resolves with the exit code. */
  run(input: ParsedArguments<T>, stdout: LineOutput): Promise<number>;
}

/** Lets a verb's values be typed by its table. */
export function command<T extends OptionTable>(definition: Command<T>): Command<T> {
  return definition;
}

/** Throws a `UsageError` unless `args` is what the verb takes. */
export function parseCommand(of: Command, args: readonly string[]): ParsedArguments<OptionTable> {
  const { missing: missingOptions, ...parsed } = parseOptions(of.options, args);
  const operands = of.trailing ? parsed.operands : [...parsed.operands, ...(parsed.trailing ?? [])];
  const missingOperands = of.operands.slice(operands.length).filter(({ optional }) => !optional);
  const missing = [...missingOperands.map(({ name }) => `<${name}>`), ...missingOptions];
  if (missing.length > 0) {
    throw new UsageError(`${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing: ${usageOf(of)}`);
  }
  const extra = operands[of.operands.length];
  if (extra !== undefined) throw new UsageError(`"${extra}" is one argument too many: ${usageOf(of)}`);
  if (of.trailing && parsed.trailing?.length === 0) {
    throw new UsageError(`nothing follows "--": give <${of.trailing.name}>, or leave "--" away`);
  }
  return { ...parsed, operands };
}

/** `rollcall watch <service> [options]` */
export function usageOf({ verb, operands, trailing }: Command): string {
  const named = operands.map(({ name, optional }) => (optional ? `[${name}]` : `<${name}>`));
  return ["rollcall", verb, ...named, "[options]", ...(trailing ? [`[-- ${trailing.name}]`] : [])].join(" ");
}

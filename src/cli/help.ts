/** The help texts, made of the tables that the parser reads. */
import { type Command, usageOf } from "./command.js";
import { dashed, type Option } from "./options.js";

/** The text of `rollcall <verb> --help`. */
export function helpOf(of: Command): string {
  const operands = [...of.operands, ...(of.trailing ? [{ ...of.trailing, name: `-- ${of.trailing.name}` }] : [])];
  return paragraphs(
    `Usage: ${usageOf(of)}`,
    of.description,
    section("Arguments", columns(operands.map(({ name, help }) => [name, help]))),
    section(
      "Options",
      columns([
        ...Object.entries(of.options).map(([name, option]) => [written(name, option), explained(option)] as const),
        ["--help", "this text"],
      ]),
    ),
    section("Examples", of.examples),
  );
}

/** The text of `rollcall --help`. */
export function overview(commands: readonly Command[]): string {
  return paragraphs(
    "Usage: rollcall <verb> [arguments] [options]",
    "Service discovery over etcd and client-side load balancing.",
    section("Verbs", columns(commands.map(({ verb, summary }) => [verb, summary]))),
    section(
      "Options",
      columns([
        ["--help", "this text; after a verb, its arguments and options"],
        ["--version", "the version of rollcall"],
      ]),
    ),
    "Exit codes: 0 done, 1 the operation failed, 2 the arguments cannot be used.",
  );
}

function written(name: string, { value, short }: Option<unknown>): string {
  const names = short === undefined ? dashed(name) : `-${short}, ${dashed(name)}`;
  return value === undefined ? names : `${names} <${value}>`;
}

function explained(option: Option<unknown>): string {
  const { help, repeatable, otherwise = option.default } = option;
  const notes = [
    ...(option.required ? ["required"] : []),
    ...(repeatable ? ["may be given several times"] : []),
    ...(otherwise === undefined ? [] : [`default ${otherwise}`]),
  ];
  return notes.length === 0 ? help : `${help} (${notes.join(", ")})`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`${title}:`, ...lines.map((line) => `  ${line}`)].join("\n");
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`);
}

function paragraphs(...texts: readonly string[]): string {
  return `${texts.filter((text) => text !== "").join("\n\n")}\n`;
}

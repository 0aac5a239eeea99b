/**
 * What a bench found, on stdout and as `results/<bench>.md`, with all that is needed to repeat it. A missed target is the
 * process's exit code 1.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { root } from "./project.js";

export interface Target {
  readonly what: string;
  readonly atMost: number;
  readonly unit: string;
  readonly measured: number;
}

export interface Report {
  /** The file's name in bench/, without its ending. */
  readonly bench: string;
  /** What was done, in a sentence or two. */
  readonly about: string;
  readonly targets: readonly Target[];
  /** Lines of Markdown: what was measured beside the targets. */
  readonly details?: readonly string[];
  /** Programs that took part, e.g. `etcd 3.5.16`. */
  readonly beside?: readonly string[];
}

export function report({ bench, about, targets, details = [], beside = [] }: Report): void {
  const found = [
    about,
    "",
    "| | measured | target | |",
    "|---|---:|---:|---|",
    ...targets.map(
      ({ what, atMost, unit, measured }) =>
        `| ${what} | ${figure(measured)}${unit} | ≤ ${figure(atMost)}${unit} | ${measured <= atMost ? "met" : "**missed**"} |`,
    ),
    ...(details.length > 0 ? ["", ...details] : []),
  ].join("\n");
  const conditions = [
    `- ${new Date().toISOString().slice(0, 10)}, commit ${commit()}`,
    `- ${[machine(), `Node ${process.versions.node}`, ...beside].join(", ")}`,
    `- again: \`npm run bench -- ${bench}\``,
  ].join("\n");
  writeFileSync(new URL(`bench/results/${bench}.md`, root), `# ${bench}\n\n${found}\n\n${conditions}\n`);
  process.stdout.write(`${found}\n`);
  if (targets.some(({ atMost, measured }) => !(measured <= atMost))) process.exitCode = 1;
}

/** Three digits are what a measurement is worth. */
export function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function machine(): string {
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores, ${gibibytes} GiB of memory`;
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const changed = git("status", "--porcelain", "--", "src", "bench", ":!bench/results") !== "";
    return git("rev-parse", "--short", "HEAD") + (changed ? " with changes" : "");
  } catch {
    return "unknown";
  }
}

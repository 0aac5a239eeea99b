/**
 * The convergence check, for as long as you like: `npm run soak -- --minutes 60 --parallel 2`, or one seed again:
 * `npm run soak -- --seed 42`. A seed decides what is done and when; what the machine makes of it may differ a little.
 *
 * Exit code 0: no violation; 1: a check failed; 2: unusable arguments; 3: no check failed, but not every run could be
 * carried out; 130 or 143: it was stopped, and what it had done until then was well.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { etcdBinaries } from "../../../scripts/etcd.mjs";
import { generate } from "./generate.js";
import { describe } from "./schedule.js";
import { runSeed, type SeedReport } from "./soak-seed.js";
import { newSoakSummary } from "./soak-summary.js";

const USAGE = "npm run soak -- (--seed N | --minutes N) [--parallel K] [--from SEED] [--summary FILE.md]";
const folder = fileURLToPath(new URL("../../../.cache/soak", import.meta.url));

const options = parsed();
await Promise.all([etcdBinaries("3.4"), etcdBinaries("3.5")]); // once, and not by all runs at the same time
mkdirSync(folder, { recursive: true });
const summary = newSoakSummary();
const startedMs = performance.now();
const untilMs = startedMs + options.minutes * 60_000;
const stop = new AbortController();
let stoppedBy: "SIGINT" | "SIGTERM" | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    stoppedBy = signal;
    stop.abort();
  });
}

let next = options.from;
const worker = async () => {
  do {
    const seed = next++;
    const began = performance.now();
    let report = await runSeed(seed, stop.signal);
    // A port that somebody else took, a machine that was busy: that is no news of the seed.
    if ("failure" in report && !stop.signal.aborted) {
      process.stdout.write(`seed ${seed}: once more, after ${report.failure}\n`);
      report = await runSeed(seed, stop.signal);
    }
    if (!stop.signal.aborted) tell(seed, report, performance.now() - began);
  } while (performance.now() < untilMs && !stop.signal.aborted);
};
await Promise.all(Array.from({ length: options.parallel }, worker));

const markdown = summary.markdown(performance.now() - startedMs);
mkdirSync(dirname(options.summary), { recursive: true });
writeFileSync(options.summary, markdown);
process.stdout.write(`\n${markdown}\n(also in ${options.summary})\n`);
process.exitCode = exitCode();

function exitCode(): number {
  if (summary.violated.length > 0) return 1;
  if (stoppedBy) return 128 + constants.signals[stoppedBy];
  return summary.failed.length > 0 ? 3 : 0;
}

function tell(seed: number, report: SeedReport, tookMs: number): void {
  const line = (text: string) => void process.stdout.write(`seed ${seed}: ${text}\n`);
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  if ("failure" in report) {
    summary.addFailure(seed);
    line(`COULD NOT BE CARRIED OUT after ${seconds(tookMs)}: ${report.failure}`);
    return;
  }
  const { outcome } = report;
  summary.add(outcome);
  const { etcd, violations, views, unknowable, events, settledMs } = outcome;
  const settled = settledMs === undefined ? "never settled" : `settled in ${seconds(settledMs)}`;
  const figures = `etcd ${etcd}, ${events} changes, ${views} views (${unknowable} lost to a wipe), ${settled}`;
  line(`${violations.length === 0 ? "ok" : "VIOLATED"}, ${figures}; took ${seconds(tookMs)}`);
  const file = join(folder, `seed-${seed}.txt`);
  if (violations.length > 0 || options.alone) writeFileSync(file, `${report.timeline}\n`);
  if (violations.length === 0) {
    if (options.alone) process.stdout.write(`all that happened: ${file}\n`);
    return;
  }
  const found = violations.slice(0, 10).map(({ check, what }) => `  ${check}: ${what}`);
  if (violations.length > 10) found.push(`  and ${violations.length - 10} more`);
  const replay = `all that happened: ${file}\nonce more: npm run soak -- --seed ${seed}`;
  process.stdout.write(`${found.join("\n")}\n${describe(generate(seed))}\n${replay}\n`);
}

function parsed() {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: "string" },
        minutes: { type: "string" },
        parallel: { type: "string" },
        from: { type: "string" },
        summary: { type: "string", default: join(folder, "summary.md") },
      },
    });
    const { seed, minutes, parallel, from, summary } = values;
    if ((seed === undefined) === (minutes === undefined)) throw new Error("give either --seed or --minutes");
    if (seed !== undefined) {
      if (parallel !== undefined || from !== undefined) throw new Error("--seed runs that one alone");
      return { summary, alone: true, parallel: 1, from: whole("seed", seed, 0), minutes: 0 };
    }
    return {
      summary,
      alone: false,
      parallel: whole("parallel", parallel ?? "1", 1),
      from: whole("from", from ?? String(Math.floor(Date.now() / 1_000)), 0), // each soak has seeds of its own
      minutes: whole("minutes", minutes ?? "", 1),
    };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${USAGE}\n`);
    process.exit(2);
  }
}

function whole(name: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number < 2 ** 32) return number;
  throw new Error(`--${name} ${text}: give a whole number from ${least} on`);
}

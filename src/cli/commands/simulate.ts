/** What each way of balancing would make of a bad day, before it comes. */
import { readFile, writeFile } from "node:fs/promises";
import { balancerNames, RollcallError } from "../../index.js";
import {
  callsOf,
  MOST_CALLS,
  parseScenario,
  plot,
  type Scenario,
  scenarioNamed,
  scenarios,
} from "../../simulate/index.js";
import { command } from "../command.js";
import { json } from "../ndjson.js";
import { parseCount, parseSeed } from "../number.js";
import { asText, flag, one } from "../options.js";
import { contendersNamed, runContender } from "../simulate/contender.js";
import { reportJson, reportTable, serversTable } from "../simulate/report.js";
import { painter, table } from "../table.js";
import { UsageError } from "../usage-error.js";

export const simulate = command({
  verb: "simulate",
  summary: "compare ways of balancing on servers that are slow, fail, hang or join",
  description:
    "Runs the client as it is shipped, with each strategy, against simulated servers in virtual time.\n" +
    "Every strategy meets the same calls; a seed repeats them. Needs no etcd, and no server.",
  operands: [],
  options: {
    scenario: one("name", "what happens; --list tells of each", scenarioNamed),
    file: one("file", "a scenario of your own, as JSON", asText),
    strategies: one("name,…", `how servers are chosen: ${balancerNames.join(", ")}`, contendersNamed, {
      default: "round-robin,random,p2c:pending,p2c",
    }),
    attempts: one("number", "attempts of a call, the first included; 1 shows the strategies alone", parseCount, {
      default: "3",
    }),
    "no-ejection": flag("ejects nobody, as in balance()"),
    seed: one("number", "the first seed", parseSeed, { default: "1" }),
    seeds: one("number", "how many runs of each strategy, with one seed after another", parseCount, { default: "1" }),
    servers: flag("a second table: what each server got; --json always has it"),
    svg: one("file", "draws latencies and shares of traffic to this file", asText),
    list: flag("names the scenarios"),
    json: flag(
      'NDJSON on stdout: {"scenario","strategy","calls","failed","attempts","faulty","latencyMs",…} for each strategy',
    ),
  },
  examples: [
    "rollcall simulate --list",
    "rollcall simulate --scenario slow-backend --strategies round-robin,p2c",
    "rollcall simulate --file monday.json --seeds 10 --svg monday.svg",
  ],

  async run({ values }, stdout) {
    const paint = painter(stdout.isTerminal, process.env);
    if (values.list) {
      if (values.scenario !== undefined || values.file !== undefined)
        throw new UsageError("--list names all scenarios, and runs none: leave it away, or --scenario and --file");
      const known = scenarios.map(({ name, description }) => ({ name, description }));
      if (values.json) for (const each of known) await stdout.write(json(each));
      else
        await stdout.write(
          table(
            ["SCENARIO", "WHAT HAPPENS"],
            known.map((each) => Object.values(each)),
            paint,
          ).join("\n"),
        );
      return 0;
    }
    const scenario = await scenarioOf(values.scenario, values.file);
    if (values.seeds * callsOf(scenario) > MOST_CALLS) {
      const most = Math.floor(MOST_CALLS / callsOf(scenario));
      throw new UsageError(
        `--seeds: ${values.seeds} runs of ${callsOf(scenario)} calls are too many: ${most} are the most`,
      );
    }
    if (values.svg !== undefined) await save(values.svg, "", "a"); // now, and not after minutes
    const seeds = Array.from({ length: values.seeds }, (_, index) => values.seed + index);
    const guards = { retry: { attempts: values.attempts }, ...(values["no-ejection"] && { ejection: false as const }) };
    const results = [];
    for (const contender of values.strategies) {
      if (stdout.gone.aborted) return 0;
      const result = await runContender({ ...contender, ...guards }, scenario, seeds);
      results.push(result);
      if (values.json) await stdout.write(reportJson(scenario, result, seeds));
    }
    if (!values.json) await stdout.write(reportTable(scenario, results, seeds, paint));
    if (!values.json && values.servers) await stdout.write(`\n${serversTable(scenario, results, paint)}`);
    if (values.svg !== undefined) await save(values.svg, plot(scenario, results));
    return 0;
  },
});

async function scenarioOf(named: Scenario | undefined, file: string | undefined): Promise<Scenario> {
  if (named !== undefined && file !== undefined)
    throw new UsageError("--scenario and --file are two scenarios: give one");
  if (named !== undefined) return named;
  if (file === undefined) throw new UsageError("--scenario is missing: give --scenario <name>, or --list to see them");
  const text = await readFile(file, "utf8").catch((cause: Error) => {
    throw new UsageError(`--file: ${cause.message}`, { cause });
  });
  try {
    return parseScenario(text);
  } catch (error) {
    if (!(error instanceof RollcallError)) throw error;
    throw new UsageError(`--file ${file}: ${error.message}`, { cause: error });
  }
}

/** With the flag `a` it finds out whether it could, and leaves what is there. */
async function save(file: string, text: string, flag: "w" | "a" = "w"): Promise<void> {
  await writeFile(file, text, { flag }).catch((cause: Error) => {
    throw new UsageError(`--svg: ${cause.message}`, { cause });
  });
}

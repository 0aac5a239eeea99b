#!/usr/bin/env node
/** The command line: finds the verb, runs it, and says in one line and an exit code how it ended. */
import { readFileSync } from "node:fs";
import { RollcallError } from "../index.js";
import { type Command, parseCommand } from "./command.js";
import { helpOf, overview } from "./help.js";
import { LineOutput } from "./line-output.js";
import { UsageError } from "./usage-error.js";

// Loaded one by one, so that a verb does not wait for what only the others need.
const verbs: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import("./commands/demo.js")).demo,
  dev: async () => (await import("./commands/dev.js")).dev,
  register: async () => (await import("./commands/register.js")).register,
  watch: async () => (await import("./commands/watch.js")).watch,
  ls: async () => (await import("./commands/ls.js")).ls,
  call: async () => (await import("./commands/call.js")).call,
  simulate: async () => (await import("./commands/simulate.js")).simulate,
};

const exitCodes = { done: 0, failed: 1, unusable: 2 } as const;
const stdout = new LineOutput(process.stdout);
process.exitCode = await main(process.argv.slice(2));
// Left alone, the process ends when stdout has been written; that would be never when nobody reads it.
if (stdout.gone.aborted) process.exit();

async function main(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  try {
    return await run(verb, rest);
  } catch (error) {
    if (error instanceof UsageError) {
      const known = verb !== undefined && Object.hasOwn(verbs, verb);
      complain(`${error.message} (rollcall ${known ? `${verb} ` : ""}--help tells more)`);
      return exitCodes.unusable;
    }
    if (!(error instanceof RollcallError)) throw error;
    complain(error.message);
    return error.code === "INVALID_ARGUMENT" ? exitCodes.unusable : exitCodes.failed;
  }
}

async function run(verb: string | undefined, args: readonly string[]): Promise<number> {
  if (verb === "--help" || verb === "-h" || verb === "help") {
    await stdout.write(overview(await Promise.all(Object.values(verbs).map((load) => load()))).trimEnd());
    return exitCodes.done;
  }
  if (verb === "--version") {
    await stdout.write(version());
    return exitCodes.done;
  }
  const load = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  const names = Object.keys(verbs).join(", ");
  if (verb === undefined) throw new UsageError(`a verb is missing: give one of ${names}`);
  if (load === undefined) throw new UsageError(`there is no verb "${verb}": give one of ${names}`);
  const command = await load();
  if (asksForHelp(args)) {
    await stdout.write(helpOf(command).trimEnd());
    return exitCodes.done;
  }
  return command.run(parseCommand(command, args), stdout);
}

/** Before `--`: what comes after belongs to another program. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

function version(): string {
  const packageFile = new URL("../../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version;
}

function complain(message: string): void {
  process.stderr.write(`rollcall: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`);
}

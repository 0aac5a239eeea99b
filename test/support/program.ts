/** A program of the tests in a process of its own, run from its source, which ends with the process that started it. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { killAfterDeath } from "./after-death.js";

const loader = new URL("typescript-loader.mjs", import.meta.url).href;

/** `argument` is its only one, e.g. JSON. */
export function startProgram(program: URL, argument: string, options: SpawnOptions): ChildProcess {
  const child = spawn(process.execPath, ["--import", loader, fileURLToPath(program), argument], options);
  if (child.pid !== undefined) child.once("exit", killAfterDeath(child.pid));
  return child;
}

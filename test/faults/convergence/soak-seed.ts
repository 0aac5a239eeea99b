/** Runs one seed in a process of its own. A process that ends or hangs is told as such, and not as a violation. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { killAfterDeath } from "../../support/after-death.js";
import type { Outcome } from "./outcome.js";

// Three times what a run takes on a quiet machine.
const LONGEST_MS = 240_000;

export type SeedReport =
  /** `timeline`: all that happened in it. */
  | { readonly outcome: Outcome; readonly timeline: string }
  /** Why the run could not be carried out. */
  | { readonly failure: string };

const loader = new URL("../../support/typescript-loader.mjs", import.meta.url).href;
const program = fileURLToPath(new URL("seed-program.ts", import.meta.url));

export function runSeed(seed: number, signal: AbortSignal): Promise<SeedReport> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", loader, program, String(seed)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    if (child.pid !== undefined) child.once("exit", killAfterDeath(child.pid));
    let report: SeedReport | undefined;
    let complaint = "";
    const kill = () => void child.kill("SIGKILL");
    const timer = setTimeout(kill, LONGEST_MS);
    signal.addEventListener("abort", kill, { once: true });
    child.stderr?.on("data", (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-5_000);
    });
    child.on("message", (message) => {
      report = message as SeedReport; // from our own program
    });
    child.once("error", (error) => {
      complaint += error.message;
    });
    child.once("close", (code, killedBy) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", kill);
      const end = killedBy === "SIGKILL" ? `was killed, after ${LONGEST_MS} ms at the latest` : `ended with ${code}`;
      if (!report) resolve({ failure: `its process ${end}\n${complaint}` });
      else resolve("failure" in report ? { failure: `${report.failure}\n${complaint}` } : report);
    });
  });
}

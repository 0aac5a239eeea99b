/** Runs one seed in a process of its own. A process that ends or hangs is told as such, and not as a violation. */
import { startProgram } from "../../support/program.js";
import type { Outcome } from "./outcome.js";

// Three times what a run takes on a quiet machine.
const LONGEST_MS = 240_000;

export type SeedReport =
  /** `timeline`: all that happened in it. */
  | { readonly outcome: Outcome; readonly timeline: string }
  /** Why the run could not be carried out. */
  | { readonly failure: string };

const program = new URL("seed-program.ts", import.meta.url);

export function runSeed(seed: number, signal: AbortSignal): Promise<SeedReport> {
  return new Promise((resolve) => {
    const child = startProgram(program, String(seed), {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
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
      const end =
        killedBy === "SIGKILL" ? `was killed, after ${LONGEST_MS} ms at the latest` : `ended with ${code ?? killedBy}`;
      if (!report) resolve({ failure: `its process ${end}\n${complaint}` });
      else resolve("failure" in report ? { failure: `${report.failure}\n${complaint}` } : report);
    });
  });
}

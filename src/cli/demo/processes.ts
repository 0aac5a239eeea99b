/**
 * The processes of one demo and the folders they write to. Whatever happens to the demo, none of it stays: an orderly end
 * stops them here, and after `kill -9` a caretaker does, a small process that waits for this one's end.
 *
 * Each process has a group of its own, so that Ctrl-C in a terminal reaches the demo alone, and the demo decides in which
 * order the others end.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Report } from "./events.js";
import { DemoProcess, type ProcessPlan } from "./process.js";

/** What everything that starts a process is given. */
export interface Crew {
  readonly processes: Processes;
  readonly report: Report;
  /** Aborts when the user ends the demo. */
  readonly signal: AbortSignal;
}

export class Processes implements AsyncDisposable {
  readonly #report: Report;
  readonly #caretaker: ChildProcess;
  readonly #running = new Set<DemoProcess>();
  readonly #folders = new Set<string>();
  #closed = false;

  constructor(report: Report) {
    this.#report = report;
    const program = fileURLToPath(new URL("caretaker-program.js", import.meta.url));
    this.#caretaker = spawn(process.execPath, [program], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    this.#caretaker.on("error", () => {}); // without one, all but `kill -9` is still cleaned up
    this.#caretaker.stdin?.on("error", () => {});
    this.#caretaker.unref();
    const { pid } = this.#caretaker;
    if (pid !== undefined) report({ event: "process", name: "caretaker", pid });
  }

  async start(plan: ProcessPlan): Promise<DemoProcess> {
    if (this.#closed) throw new Error("the demo is ending");
    const child = spawn(plan.command, plan.args, { stdio: "pipe", detached: true, env: plan.env ?? process.env });
    try {
      await once(child, "spawn"); // rejects with the reason when there is none
    } catch (error) {
      throw new Error(`${plan.name} cannot be started: ${error}`, { cause: error });
    }
    const started = new DemoProcess(plan, child);
    this.#report({ event: "process", name: plan.name, pid: started.pid });
    this.#running.add(started);
    this.#tellCaretaker("process", started.pid, plan.stopSignal);
    void started.ended.then(() => {
      this.#running.delete(started);
      this.#tellCaretaker("ended", started.pid);
    });
    return started;
  }

  /** A new empty folder, removed at the end. */
  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "rollcall-demo-"));
    this.#folders.add(folder);
    this.#tellCaretaker("folder", folder);
    return folder;
  }

  /** Ends what still runs and removes the folders. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#running].map((each) => each.stop()));
    for (const folder of this.#folders) {
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      this.#tellCaretaker("removed", folder);
    }
    this.#caretaker.stdin?.end();
  }

  #tellCaretaker(...words: readonly (string | number)[]): void {
    this.#caretaker.stdin?.write(`${words.join("\t")}\n`);
  }
}

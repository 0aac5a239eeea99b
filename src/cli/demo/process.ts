/** One process of the demo: its lines, and its end. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProcessPlan {
  /** For messages, e.g. `etcd machine-1`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** How it is asked to end. */
  readonly stopSignal: NodeJS.Signals;
  readonly onLine?: (line: string) => unknown;
  readonly onErrorLine?: (line: string) => unknown;
}

/** A server leaves the registry, lets that spread for 1 s and gives its calls 5 s. */
const PATIENCE_MS = 8_000;
const LAST_LINES = 8;

/** A process ended that was still needed; the message has its last words. */
export class EarlyEnd extends Error {}

export class DemoProcess {
  readonly pid: number;
  /** Resolves when it has ended and all its output was read. */
  readonly ended: Promise<void>;
  readonly #plan: ProcessPlan;
  readonly #child: ChildProcess;
  readonly #lastLines: string[] = [];

  constructor(plan: ProcessPlan, child: ChildProcess) {
    this.#plan = plan;
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.ended = once(child, "close").then(
      () => {},
      () => {},
    );
    child.stdin?.on("error", () => {}); // its end is told by `ended`
    this.#read(child.stdout, plan.onLine);
    this.#read(child.stderr, plan.onErrorLine);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What is awaited of it; rejects with an `EarlyEnd` when it ends instead. */
  async expect<T>(awaited: Promise<T>): Promise<T> {
    const ended = this.ended.then(() => {
      const how = this.#child.signalCode ?? `exit code ${this.#child.exitCode}`;
      throw new EarlyEnd([`${this.#plan.name} ended (${how})`, ...this.#lastLines].join("\n  "));
    });
    return await Promise.race([awaited, ended]);
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** SIGKILL, with no time to say anything. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }

  /** Asks it to end, and kills it when it takes too long. */
  async stop(ask: () => void = () => this.#child.kill(this.#plan.stopSignal)): Promise<void> {
    if (!this.running) return;
    ask();
    const patience = new AbortController();
    const tooLong = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(
      () => this.#child.kill("SIGKILL"),
      () => {},
    );
    await this.ended;
    patience.abort();
    await tooLong;
  }

  #read(stream: NodeJS.ReadableStream | null, onLine: ProcessPlan["onLine"]): void {
    if (!stream) return;
    createInterface({ input: stream }).on("line", (line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
      onLine?.(line);
    });
  }
}

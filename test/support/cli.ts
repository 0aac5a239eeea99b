/** The compiled command line as a child process, as a user or a supervisor runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const main = join(root, "dist/src/cli/main.js");

export interface CliResult {
  /** The exit code; 128 + n would be a signal's, and then `code` is null. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Everything, when it has ended. */
  readonly ended: Promise<CliResult>;
  /** The first text on stdout or stderr that matches; rejects when the process ends without it. */
  output(pattern: RegExp): Promise<RegExpExecArray>;
  /** The first NDJSON object on stdout that fits; rejects when the process ends without one. */
  event<T extends object = Record<string, unknown>>(fits: (event: T) => boolean): Promise<T>;
  /** All NDJSON objects on stdout so far. */
  events(): Record<string, unknown>[];
  kill(signal: NodeJS.Signals): void;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Leaves stdout alone, for a test that reads it itself. */
  readonly unread?: boolean;
}

/** Starts `rollcall <args>` with no variable of etcdctl but those given. */
export function startCli(args: readonly string[], { env = {}, unread = false }: CliOptions = {}): CliProcess {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, ...env },
  });
  let stdout = "";
  let stderr = "";
  let exited = false;
  let waiting: (() => void)[] = [];
  const wake = () => {
    const woken = waiting;
    waiting = [];
    for (const each of woken) each();
  };
  if (!unread) {
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      wake();
    });
  }
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    wake();
  });
  const ended = once(child, unread ? "exit" : "close").then(([code]) => {
    exited = true;
    wake();
    return { code: code as number | null, stdout, stderr };
  });

  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (exited) throw new Error(`rollcall ${args.join(" ")} ended without it:\n${stdout}\n${stderr}`);
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  const events = () =>
    stdout
      .slice(0, stdout.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  return {
    child,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    ended,
    output: (pattern) => until(() => pattern.exec(stdout) ?? pattern.exec(stderr) ?? undefined),
    event: <T extends object>(fits: (event: T) => boolean) => until(() => (events() as T[]).find(fits)),
    events,
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      if (!exited) child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Runs `rollcall <args>` to its end. */
export async function runCli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended;
}

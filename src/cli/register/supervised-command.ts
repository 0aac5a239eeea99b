/**
 * The command after `--`: a server in whatever language, which knows nothing of the registry.
 *
 * Why it gets a session of its own: Ctrl-C in a terminal goes to the whole foreground group, and the server must not end
 * before it is deregistered. So the signal reaches us alone, and we pass it on when the time has come.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { UsageError } from "../usage-error.js";

export interface SupervisedCommand {
  /** Its exit code; 128 + n when signal n ended it. */
  readonly exited: Promise<number>;
  /** Aborts when it has ended. */
  readonly gone: AbortSignal;
  /** Sends it a signal, if it is still there. */
  send(signal: NodeJS.Signals): void;
  /** Asks it to end, and kills it when it has not within `graceMs`. */
  end(graceMs: number): Promise<void>;
  /** Ends it and whatever it has started, at once. */
  kill(): void;
}

/**
 * Starts it with our stdin and stderr, and with our stdout or stderr as its standard output. Rejects with a `UsageError`
 * when it cannot be started.
 */
export async function startCommand(
  [file = "", ...args]: readonly string[],
  standardOutput: "stdout" | "stderr",
): Promise<SupervisedCommand> {
  const child = spawn(file, args, { stdio: ["inherit", standardOutput === "stdout" ? 1 : 2, 2], detached: true });
  const gone = new AbortController();
  const exited = new Promise<number>((resolve) => {
    child.once("exit", (code, signal) => {
      gone.abort();
      resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]);
    });
  });
  try {
    await once(child, "spawn");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // starting a program fails with nothing else
    throw new UsageError(`cannot start "${file}" (${code}): give a command that can be run after --`, { cause: error });
  }
  const kill = () => {
    if (!gone.signal.aborted && child.pid !== undefined) process.kill(-child.pid, "SIGKILL"); // it leads its group
  };
  return {
    exited,
    gone: gone.signal,
    send: (signal) => void child.kill(signal),
    async end(graceMs) {
      child.kill("SIGTERM");
      const timer = setTimeout(kill, graceMs);
      await exited;
      clearTimeout(timer);
    },
    kill,
  };
}

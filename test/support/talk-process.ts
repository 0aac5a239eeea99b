/** A talk server in a process of its own, to be stopped, continued and killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { killAfterDeath } from "./after-death.js";

export interface TalkProcess extends AsyncDisposable {
  readonly address: string;
  /** Stops answering, with every connection left open. */
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
}

const loader = new URL("typescript-loader.mjs", import.meta.url).href;
const program = fileURLToPath(new URL("talk-program.ts", import.meta.url));

/** Listens on `listen`, by default on a free port of 127.0.0.1. */
export async function startTalkProcess(listen = "127.0.0.1:0"): Promise<TalkProcess> {
  const child = spawn(process.execPath, ["--import", loader, program, listen], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  if (child.pid !== undefined) child.once("exit", killAfterDeath(child.pid));
  const [address] = (await Promise.race([
    once(createInterface(child.stdout), "line"),
    exited.then(() => {
      throw new Error("the talk server did not start");
    }),
  ])) as [string];
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  return {
    address,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

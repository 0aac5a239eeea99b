/** A talk server in a process of its own, to be drained, stopped, continued and killed. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { EtcdOptions } from "rollcall/etcd";
import type { ServeOptions } from "rollcall/grpc";
import { startProgram } from "./program.js";

/** What can be sent to another process; JSON knows no Infinity. */
export interface TalkProcessOptions extends Pick<ServeOptions<readonly []>, "startTimeoutMs" | "spreadMs" | "drainMs"> {
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: string;
  /** The etcd to register "talk" in; default: nowhere. */
  readonly etcd?: Pick<EtcdOptions, "endpoints" | "ttlMs">;
  /** How long `Say` takes; default: no time. */
  readonly workMs?: number;
}

export interface TalkProcess extends AsyncDisposable {
  readonly address: string;
  /** Stops answering, with every connection left open. */
  pause(): void;
  resume(): void;
  /** SIGTERM: drains, deregisters and ends. Rejects if it ended otherwise. */
  drain(): Promise<void>;
  kill(): Promise<void>;
}

const program = new URL("talk-program.ts", import.meta.url);

/** Resolves when it serves and is registered. */
export async function startTalkProcess(options: TalkProcessOptions = {}): Promise<TalkProcess> {
  const child = startProgram(program, JSON.stringify(options), { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [address] = (await Promise.race([
    once(createInterface(child.stdout as Readable), "line"),
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
    async drain() {
      child.kill("SIGTERM");
      const [code, signal] = await exited;
      if (code !== 0) throw new Error(`the drained talk server ended with ${signal ?? code}`);
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

/** Runs the Go program of test/interop/go: a service and its client as go-kit's users write them. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { killAfterDeath } from "./after-death.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const sources = join(root, "test/interop/go");
const binary = join(root, ".cache/go-kit-interop");

// Where Go's own installer puts it, for those who have not put it on their PATH.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/local/go/bin` };

/** Why the Go program cannot be built here; undefined when it can. */
export const goMissing: string | undefined =
  spawnSync("go", ["version"], { env }).status === 0 ? undefined : "there is no go on the PATH; see https://go.dev/dl";

/** Builds the program into the cache; Go itself knows when nothing has changed. */
export async function buildGoKit(): Promise<GoKit> {
  await promisify(execFile)("go", ["build", "-o", binary, "."], { cwd: sources, env });
  return { startServer, callFromClient };
}

export interface GoKit {
  /** A go-kit server on a free port, registered under /services/book/ when this resolves. */
  startServer(etcd: string): Promise<GoServer>;
  /** A go-kit client that waits for `servers` instances, then makes `calls` calls with round robin and retry. */
  callFromClient(etcd: string, options: { readonly servers: number; readonly calls: number }): Promise<GoReply[]>;
}

export interface GoServer extends AsyncDisposable {
  readonly address: string;
  /** SIGTERM: deregisters, finishes its calls, ends. */
  stop(): Promise<void>;
}

export interface GoReply {
  /** The instance that answered. */
  readonly address: string;
  readonly text: string;
}

async function startServer(etcd: string): Promise<GoServer> {
  const child = spawn(binary, ["server", "-etcd", etcd], { stdio: ["ignore", "pipe", "pipe"] });
  if (child.pid !== undefined) child.once("exit", killAfterDeath(child.pid));
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const address = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the go-kit server ended with ${code}:\n${log}`)));
    createInterface({ input: child.stdout }).once("line", (line) => resolve(line.replace("listening ", "")));
  });
  const stop = () => end(child);
  return { address, stop, [Symbol.asyncDispose]: stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}

async function callFromClient(etcd: string, options: { servers: number; calls: number }): Promise<GoReply[]> {
  const { servers, calls } = options;
  const args = ["client", "-etcd", etcd, "-servers", String(servers), "-calls", String(calls)];
  const { stdout } = await promisify(execFile)(binary, args);
  return stdout
    .trim()
    .split("\n")
    .map((line) => {
      const [address = "", ...words] = line.split(" ");
      return { address, text: words.join(" ") };
    });
}

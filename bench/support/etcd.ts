/** A real etcd for one bench: one member on loopback, stopped and its data deleted with the bench. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./project.js";

export interface BenchEtcd extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly endpoint: string;
  /** `etcd 3.5.16`. */
  readonly version: string;
  /** The sum of one of its Prometheus counters over the label sets that contain `labels`. */
  counter(name: string, labels?: string): Promise<number>;
}

export async function startEtcd(): Promise<BenchEtcd> {
  const binary = await etcdBinary();
  const [client, peer] = [await freePort(), await freePort()];
  const folder = await mkdtemp(join(tmpdir(), "rollcall-bench-"));
  const url = `http://127.0.0.1:${client}`;
  const flags = {
    "data-dir": join(folder, "data"),
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": `http://127.0.0.1:${peer}`,
  };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  await new Promise<void>((resolve, reject) => {
    let log = "";
    child.stderr.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-20_000);
      if (log.includes("ready to serve client requests")) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`etcd ended with ${code}:\n${log}`)));
  });

  return {
    endpoint: `127.0.0.1:${client}`,
    version: `etcd ${/etcd Version: (\S+)/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))?.[1]}`,
    async counter(name, labels = "") {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const samples = metrics.split("\n").filter((line) => line.startsWith(name) && line.includes(labels));
      if (samples.length === 0) throw new Error(`etcd has no metric ${name} with ${labels}`);
      return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    },
    async [Symbol.asyncDispose]() {
      process.off("exit", kill);
      kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The scripts are not compiled, so that they are found in the checkout. */
async function etcdBinary(): Promise<string> {
  const found: typeof import("../../scripts/etcd.mjs") = await import(new URL("scripts/etcd.mjs", root).href);
  return (await found.etcdBinaries()).etcd;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number }; // a TCP server's address has a port
  await once(server.close(), "close");
  return port;
}

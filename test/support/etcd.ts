/** Real etcd members on loopback, each with a data directory of its own, stopped by the process that started them. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { etcdBinaries } from "../../scripts/etcd.mjs";
import { killAfterDeath, removeAfterDeath } from "./after-death.js";

export interface EtcdOptions {
  /** Which line of etcd; default: whatever `etcdBinaries()` finds. */
  readonly version?: "3.4" | "3.5";
  /** More flags, e.g. `["--auth-token-ttl", "3"]`. */
  readonly args?: readonly string[];
  /** Files that make the client port speak TLS, and what etcdctl then needs to speak to it. */
  readonly tls?: { readonly serverArgs: readonly string[]; readonly clientArgs: readonly string[] };
}

export interface EtcdMember extends AsyncDisposable {
  readonly name: string;
  /** The client address, `127.0.0.1:port`. */
  readonly endpoint: string;
  /** Runs etcdctl against this member and gives its stdout; rejects with its stderr. */
  etcdctl(...args: readonly string[]): Promise<string>;
  /** Stops answering, with every connection left open (SIGSTOP). */
  pause(): void;
  resume(): void;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts again on the same ports, with its data unless `options` say otherwise. Resolves when it serves. */
  restart(options?: RestartOptions): Promise<void>;
  stop(): Promise<void>;
}

export interface RestartOptions {
  /** With nothing. */
  readonly wipe?: boolean;
  /** With nothing, as the member that was just added to a cluster which runs. */
  readonly joining?: boolean;
  /** With what is in this file, which `etcdctl snapshot save` wrote. */
  readonly snapshot?: string;
}

export interface EtcdCluster extends AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly endpoints: readonly string[];
  /** The member that leads at the moment. */
  leader(): Promise<EtcdMember>;
  etcdctl(...args: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startEtcd(options: EtcdOptions = {}): Promise<EtcdMember> {
  const [member] = (await startCluster(1, options)).members;
  if (!member) throw new Error("a cluster of one has a member");
  return member;
}

export async function startCluster(size: number, options: EtcdOptions = {}): Promise<EtcdCluster> {
  const binaries = await etcdBinaries(options.version);
  const ports = await freePorts(size * 2);
  const scheme = options.tls ? "https" : "http";
  const names = Array.from({ length: size }, (_, index) => `member-${index + 1}`);
  const peerUrl = (index: number) => `http://127.0.0.1:${ports[index * 2 + 1]}`;
  const initialCluster = names.map((name, index) => `${name}=${peerUrl(index)}`).join(",");

  const members = await Promise.all(
    names.map(async (name, index) => {
      const endpoint = `127.0.0.1:${ports[index * 2]}`;
      const dataDir = await mkdtemp(join(tmpdir(), "rollcall-etcd-"));
      const flags = {
        name,
        "data-dir": join(dataDir, "data"),
        "listen-client-urls": `${scheme}://${endpoint}`,
        "advertise-client-urls": `${scheme}://${endpoint}`,
        "listen-peer-urls": peerUrl(index),
        "initial-advertise-peer-urls": peerUrl(index),
        "initial-cluster": initialCluster,
        "initial-cluster-state": "new",
        "initial-cluster-token": `rollcall-${ports[0]}`,
      };
      return member({
        name,
        endpoint,
        dataDir,
        binaries,
        restoreArgs: [
          `--name=${name}`,
          `--data-dir=${flags["data-dir"]}`,
          `--initial-cluster=${initialCluster}`,
          `--initial-cluster-token=${flags["initial-cluster-token"]}`,
          `--initial-advertise-peer-urls=${peerUrl(index)}`,
        ],
        serverArgs: [
          ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
          ...(options.tls?.serverArgs ?? []),
          ...(options.args ?? []),
        ],
        clientArgs: [`--endpoints=${scheme}://${endpoint}`, ...(options.tls?.clientArgs ?? [])],
      });
    }),
  );
  const stop = async () => {
    await Promise.all(members.map((each) => each.stop()));
  };
  try {
    await Promise.all(members.map((each) => each.restart()));
  } catch (error) {
    await stop();
    throw error;
  }
  const endpoints = members.map((each) => each.endpoint);
  return {
    members,
    endpoints,
    async leader() {
      for (const each of members) {
        const [status] = JSON.parse(await each.etcdctl("endpoint", "status", "-w", "json")) as EndpointStatus[];
        if (status && status.Status.leader === status.Status.header.member_id) return each;
      }
      throw new Error("the cluster has no leader");
    },
    etcdctl: (...args) =>
      etcdctl(binaries.etcdctl, [
        `--endpoints=${endpoints.map((endpoint) => `${scheme}://${endpoint}`).join(",")}`,
        ...(options.tls?.clientArgs ?? []),
        ...args,
      ]),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** What etcdctl says of a member. Its ids are longer than a number can hold, and equal ones are read as equal numbers. */
interface EndpointStatus {
  readonly Status: { readonly leader: number; readonly header: { readonly member_id: number } };
}

interface MemberPlan {
  readonly name: string;
  readonly endpoint: string;
  readonly dataDir: string;
  readonly binaries: { readonly etcd: string; readonly etcdctl: string };
  readonly serverArgs: readonly string[];
  readonly restoreArgs: readonly string[];
  readonly clientArgs: readonly string[];
}

function member(plan: MemberPlan): EtcdMember {
  let child: ChildProcess | undefined;
  const dataDirRemoved = removeAfterDeath(plan.dataDir);

  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    const dying = child;
    child = undefined;
    if (!dying || dying.exitCode !== null || dying.signalCode !== null) return;
    const exited = once(dying, "exit");
    dying.kill(signal);
    if (signal !== "SIGKILL") dying.kill("SIGCONT");
    await exited;
  };
  const stop = async () => {
    await kill();
    await rm(plan.dataDir, { recursive: true, force: true });
    dataDirRemoved();
  };

  return {
    name: plan.name,
    endpoint: plan.endpoint,
    etcdctl: (...args) => etcdctl(plan.binaries.etcdctl, [...plan.clientArgs, ...args]),
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    kill,
    async restart({ wipe = false, joining = false, snapshot } = {}) {
      await kill();
      if (wipe || joining || snapshot !== undefined) {
        await rm(join(plan.dataDir, "data"), { recursive: true, force: true });
      }
      if (snapshot !== undefined) {
        await etcdctl(plan.binaries.etcdctl, ["snapshot", "restore", snapshot, ...plan.restoreArgs]);
      }
      const state = joining ? ["--initial-cluster-state=existing"] : [];
      child = spawn(plan.binaries.etcd, [...plan.serverArgs, ...state], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { PATH: process.env.PATH },
      });
      await serving(child, plan.name);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Waits for a member's own word that it serves; what it printed is in the error when it does not. */
async function serving(child: ChildProcess, name: string): Promise<void> {
  if (child.pid !== undefined) child.once("exit", killAfterDeath(child.pid));
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-20_000);
      if (log.includes("ready to serve client requests")) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`etcd ${name} ended with ${code}:\n${log}`)));
  });
}

async function etcdctl(binary: string, args: readonly string[]): Promise<string> {
  // etcdctl's own 5 s are short for an election on a busy machine.
  const { stdout } = await promisify(execFile)(binary, ["--command-timeout=30s", ...args], {
    env: { PATH: process.env.PATH, ETCDCTL_API: "3" },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

// Below the ports that systems give to outgoing connections and to `listen(0)` (Linux 32768, others 49152): what a member
// that was killed leaves free must not be somebody else's when it starts again.
const LOWEST_PORT = 10_000;
const PORTS_END = 32_000;

// Each process that runs test files beside others has a part of them to itself, and walks through it: the port of a member
// that is down for a moment is nobody else's meanwhile.
const PARTS = 16;
const part = process.env.VITEST_POOL_ID;
const partSize = part === undefined ? PORTS_END - LOWEST_PORT : Math.floor((PORTS_END - LOWEST_PORT) / PARTS);
const partStart = LOWEST_PORT + (Number(part ?? 0) % PARTS) * partSize;
let walked = randomInt(partSize);

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listening));
  const ports = servers.map((server) => (server.address() as { port: number }).port); // a TCP server's address has a port
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

async function listening(): Promise<Server> {
  for (;;) {
    walked = (walked + 1) % partSize;
    const server = createServer().listen(partStart + walked, "127.0.0.1");
    try {
      await once(server, "listening");
      return server;
    } catch {
      // Taken; another one is not.
    }
  }
}

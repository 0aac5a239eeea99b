/**
 * Three real members of etcd, started as the tutorial starts them on three machines: its names, its token, its flags. Three
 * addresses of loopback stand for the machines.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { cell, firstMatch } from "../../index.js";
import { type EtcdBinaries, etcdBinaries } from "./etcd-binaries.js";
import { etcdPorts } from "./etcd-ports.js";
import type { DemoProcess } from "./process.js";
import type { Crew } from "./processes.js";

const MACHINES = [
  { name: "machine-1", host: "127.0.0.1" },
  { name: "machine-2", host: "127.0.0.2" },
  { name: "machine-3", host: "127.0.0.3" },
] as const;
const TOKEN = "token-07";
/** What etcd logs once it has joined and listens. */
const SERVING = "ready to serve client requests";

export interface Member {
  readonly name: string;
  /** Its client address, `host:port`. */
  readonly endpoint: string;
}

interface RunningMember extends Member {
  readonly process: DemoProcess;
}

/** Starts three members; resolves when all of them serve. */
export async function startCluster({ processes, report, signal }: Crew): Promise<EtcdCluster> {
  const binaries = await etcdBinaries();
  await using ports = await etcdPorts(MACHINES.map(({ host }) => host));
  if (!ports.usual) {
    const text = `2379 and 2380 are taken: the members use ${ports.client} for clients and ${ports.peer} for each other`;
    report({ event: "note", text });
  }
  const peerUrl = (host: string) => `http://${host}:${ports.peer}`;
  const initialCluster = MACHINES.map(({ name, host }) => `${name}=${peerUrl(host)}`).join(",");

  const start = async ({ name, host }: { readonly name: string; readonly host: string }): Promise<RunningMember> => {
    const clientUrl = `http://${host}:${ports.client}`;
    const flags = {
      "data-dir": join(await processes.folder(), "data.etcd"),
      name,
      "initial-advertise-peer-urls": peerUrl(host),
      "listen-peer-urls": peerUrl(host),
      "advertise-client-urls": clientUrl,
      "listen-client-urls": clientUrl,
      "initial-cluster": initialCluster,
      "initial-cluster-state": "new",
      "initial-cluster-token": TOKEN,
    };
    const serving = cell(false);
    const member = await processes.start({
      name: `etcd ${name}`,
      command: binaries.etcd,
      args: Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
      env: { PATH: process.env.PATH }, // etcd would take ETCD_… for flags
      stopSignal: "SIGKILL", // nothing of it is kept, and without its quorum it is slow to end by itself
      onErrorLine: (line) => {
        if (line.includes(SERVING)) serving.set(true);
      },
    });
    await member.expect(firstMatch(serving, Boolean, signal));
    return { name, endpoint: `${host}:${ports.client}`, process: member };
  };
  return new EtcdCluster(binaries, await Promise.all(MACHINES.map(start)), signal);
}

export class EtcdCluster implements AsyncDisposable {
  readonly #etcdctl: string;
  readonly #members: readonly RunningMember[];
  readonly #signal: AbortSignal;

  constructor({ etcdctl }: EtcdBinaries, members: readonly RunningMember[], signal: AbortSignal) {
    this.#etcdctl = etcdctl;
    this.#members = members;
    this.#signal = signal;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  get endpoints(): readonly string[] {
    return this.#members.map(({ endpoint }) => endpoint);
  }

  /** `etcdctl member list`, a line a member. */
  async memberList(): Promise<readonly string[]> {
    return (await this.#ask("member", "list")).trim().split("\n");
  }

  /** Kills the leader with SIGKILL. */
  async killLeader(): Promise<Member> {
    const leader = await this.#leader();
    if (!leader) throw new Error("the cluster has no leader");
    await leader.process.kill();
    return leader;
  }

  /** Resolves when the members that are left have a leader again. */
  async newLeader(): Promise<Member> {
    for (;;) {
      const leader = await this.#leader();
      if (leader?.process.running) return leader;
      await sleep(100, undefined, { signal: this.#signal });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map(({ process }) => process.stop()));
  }

  /** `endpoint status` is a line a member: `endpoint, id, version, size, is leader, …`. */
  async #leader(): Promise<RunningMember | undefined> {
    const lines = (await this.#ask("endpoint", "status")).split("\n").map((line) => line.split(", "));
    const leader = lines.find((fields) => fields[4] === "true")?.[0];
    return this.#members.find(({ endpoint }) => endpoint === leader);
  }

  async #ask(...command: readonly string[]): Promise<string> {
    const running = this.#members.filter(({ process }) => process.running).map(({ endpoint }) => endpoint);
    const { stdout } = await promisify(execFile)(this.#etcdctl, [`--endpoints=${running.join(",")}`, ...command], {
      env: { PATH: process.env.PATH, ETCDCTL_API: "3" },
      signal: this.#signal,
    });
    return stdout;
  }
}

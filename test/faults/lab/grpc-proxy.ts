/** etcd's own gRPC proxy, `etcd grpc-proxy start`, before some members. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { etcdBinaries } from "../../../scripts/etcd.mjs";
import { killAfterDeath } from "../../support/after-death.js";
import { freePorts } from "../../support/etcd.js";

export interface GrpcProxy extends AsyncDisposable {
  readonly endpoint: string;
  kill(): Promise<void>;
  /** On the same port. Resolves when it serves. */
  start(): Promise<void>;
}

/** `flags` are more of its own, e.g. `["--dial-keepalive-time=5s"]`. */
export async function startGrpcProxy(
  members: readonly string[],
  version?: "3.4" | "3.5",
  flags: readonly string[] = [],
): Promise<GrpcProxy> {
  const { etcd } = await etcdBinaries(version);
  const [port] = await freePorts(1);
  const endpoint = `127.0.0.1:${port}`;
  let child: ChildProcess | undefined;

  const start = async () => {
    const args = ["grpc-proxy", "start", "--endpoints", members.join(","), "--listen-addr", endpoint, ...flags];
    const started = spawn(etcd, args, { stdio: "ignore", env: { PATH: process.env.PATH } });
    child = started;
    if (started.pid !== undefined) started.once("exit", killAfterDeath(started.pid));
    // It says so nowhere but in its log, and not in the same words in every version; its metrics need the cluster.
    for (; started.exitCode === null; await sleep(50)) {
      const answer = await fetch(`http://${endpoint}/metrics`).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.ok) return;
    }
    throw new Error(`the gRPC proxy ended with ${started.exitCode}`);
  };
  const kill = async () => {
    const dying = child;
    child = undefined;
    if (!dying || dying.exitCode !== null || dying.signalCode !== null) return;
    const exited = once(dying, "exit");
    dying.kill("SIGKILL");
    await exited;
  };
  await start();
  return { endpoint, kill, start, [Symbol.asyncDispose]: kill };
}

/**
 * The tutorial from end to end, and what it does not show: servers die, drain, come back and join, in `--cluster` the leader
 * of etcd dies too, and no call fails.
 */
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { stopSignal } from "../stop-signal.js";
import { UsageError } from "../usage-error.js";
import { startClient } from "./client-process.js";
import type { EtcdCluster } from "./cluster.js";
import type { Report } from "./events.js";
import { jsonReport } from "./json-report.js";
import { Processes } from "./processes.js";
import { type DemoTarget, openRegistry } from "./registries.js";
import { holdPlaces } from "./server-places.js";
import { BookServers } from "./servers.js";
import { refuseStrangers, strangersAmong } from "./strangers.js";
import { summarize } from "./summary.js";
import { textReport } from "./text-report.js";

export type { DemoTarget } from "./registries.js";

export interface DemoOptions {
  readonly target: DemoTarget;
  /** NDJSON instead of text. */
  readonly json: boolean;
}

/** Between two events, so that each can be seen for itself. */
const SCENE_MS = 1_000;
/** Between two of the eight calls. */
const STEP_MS = 150;

/**
 * Gives the exit code: 0 when no call failed and all that is promised was seen, else 1; after a signal, 128 and its number.
 * Rejects with a `UsageError` where it cannot be played. However it ends, nothing that it started is left.
 */
export async function runDemo({ target, json }: DemoOptions): Promise<number> {
  const report = json ? jsonReport(process.stdout) : textReport(process.stdout);
  using stop = stopSignal();
  try {
    return (await play(target, report, stop.signal)) ? 0 : 1;
  } catch (error) {
    if (stop.received !== undefined) {
      report({ event: "interrupted", signal: stop.received });
      return 128 + constants.signals[stop.received];
    }
    if (error instanceof UsageError) throw error;
    process.stderr.write(`rollcall demo: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}

async function play(target: DemoTarget, report: Report, signal: AbortSignal): Promise<boolean> {
  const startedMs = Date.now();
  const scene = () => sleep(SCENE_MS, undefined, { signal });

  // Each is ended in the reverse order, however this ends: the client, the servers, the registry, whatever is left.
  await using processes = new Processes(report);
  const crew = { processes, report, signal };
  await using registry = await openRegistry(target, crew);
  const { endpoints, cluster } = registry;
  report({ event: "registry", kind: target.kind, endpoints });
  if (cluster) report({ event: "members", list: await cluster.memberList() });
  await using held = await holdPlaces(registry.places);
  if (!held.usual) {
    report({ event: "note", text: "50051 or one of the ports after it is taken: the servers choose other ports" });
  }
  const { places } = held;

  // The tutorial: three servers, a client, eight calls.
  await using servers = new BookServers(crew, endpoints);
  const [, killed, drained] = await Promise.all([
    servers.start(places[0]),
    servers.start(places[1]),
    servers.start(places[2]),
  ]);
  await refuseStrangers(servers.addresses, endpoints, signal);
  await using client = await startClient(crew, endpoints);
  const eight: string[] = [];
  for (let number = 1; number <= 8; number += 1) {
    const answer = await client.call();
    eight.push(answer.address);
    report({ event: "call", number, ...answer });
    await sleep(STEP_MS, undefined, { signal });
  }

  // Steady calls, and everything that can happen to their servers.
  report({ event: "steady" });
  client.startSteadyCalls();
  await scene();

  const killedAtMs = await killed.kill();
  const gone = client.sees(killed.address, false).then(() => Date.now());
  gone.catch(() => {}); // awaited below, and the user may end the demo before
  await scene();

  // The leader, because that is the hard case: until there is a new one nobody can register and no lease is renewed, and
  // every lease gets its whole time again from the new one. A follower's death is a reconnect for those who were with it.
  const [joined] = await Promise.all([servers.start(places[3], "joined"), cluster && loseLeader(cluster, report)]);
  await scene();

  await drained.drain();
  await drained.restart();
  const restartedAtMs = Date.now();
  await scene();

  const goneAtMs = await gone;
  await scene();

  const counts = await client.finish();
  const summary = summarize({
    eight,
    counts,
    killed: { address: killed.address, atMs: killedAtMs, goneAtMs },
    restarted: { address: drained.address, atMs: restartedAtMs },
    joined: joined.address,
    strangers: strangersAmong(client.seen, servers.addresses),
    elapsedMs: Date.now() - startedMs,
  });
  report({ event: "summary", ...summary });
  return summary.ok;
}

async function loseLeader(cluster: EtcdCluster, report: Report): Promise<void> {
  const { name, endpoint } = await cluster.killLeader();
  const killedAtMs = Date.now();
  report({ event: "member-killed", name, endpoint });
  const leader = await cluster.newLeader();
  report({ event: "leader", name: leader.name, afterMs: Date.now() - killedAtMs });
}

/**
 * Carries out a schedule on real processes and records what came of it. It judges nothing but when all has settled; what it
 * cannot do is an error of its own and never a violation.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type EtcdClient, etcdClient } from "../../../src/registry/etcd/client/client.js";
import { keyText, prefixRange } from "../../../src/registry/etcd/client/key-range.js";
import { KV } from "../../../src/registry/etcd/proto/etcd_pb.js";
import { type AuditEvent, describeEvent } from "../lab/auditor.js";
import { startLaboratory } from "../lab/laboratory.js";
import { nowMs } from "../lab/participant-protocol.js";
import { convergence } from "./checks/convergence.js";
import { liveness } from "./checks/liveness.js";
import { newClient } from "./client.js";
import { membersOf } from "./members.js";
import { churn, type OperatorTools, operate } from "./operator.js";
import { BOUND_MS, HOLD_MS, type Life, type Reading, type Recording } from "./recording.js";
import { type Action, FAULTS_MS, type Schedule } from "./schedule.js";
import { newServer } from "./server.js";
import { knownUntil } from "./truth.js";

const LOOK_EVERY_MS = 100;
// Within a few milliseconds, the last of them a put.
const LAST_CHANGES = 4;
// Processes and members start within seconds, also where several runs share two cores; more means that the run is stuck.
const HEALED_WITHIN_MS = 60_000;

export async function run(schedule: Schedule): Promise<Recording> {
  await using lab = await startLaboratory({ version: schedule.etcd });
  const { cluster } = lab;
  const auditor = lab.auditor();
  const client = lab.owns(etcdClient({ endpoints: cluster.endpoints, logger: false }));
  const names = [...schedule.registrars.map(({ name }) => name), ...schedule.clients];
  const networks = new Map(await Promise.all(names.map(async (name) => [name, await lab.network()] as const)));
  const endpointsOf = (name: string) => networks.get(name)?.endpoints ?? [];
  const members = membersOf(cluster);
  const servers = new Map(
    schedule.registrars.map((plan) => [plan.name, newServer(lab, plan, endpointsOf(plan.name))] as const),
  );
  const clients = new Map(schedule.clients.map((name) => [name, newClient(lab, name, endpointsOf(name))] as const));

  const compactions: { readonly atMs: number; readonly revision: bigint }[] = [];
  const tools: OperatorTools = {
    cluster,
    auditor,
    client,
    onCompaction: (revision) => compactions.push({ atMs: nowMs(), revision }),
  };
  const perform = async (action: Action): Promise<unknown> => {
    switch (action.kind) {
      case "registrar":
        return servers.get(action.name)?.do(action.act);
      case "client":
        return clients.get(action.name)?.do(action.act);
      case "members":
        return members.do(action);
      case "operator":
        return operate(tools, action).catch(() => {}); // etcd was down, or there was no such thing
      case "network": {
        const network = networks.get(action.of);
        const { mode } = action;
        const proxies = network?.proxies.filter((_, index) => action.to === "all" || action.to === index) ?? [];
        return Promise.all(proxies.map((proxy) => (mode === "cut" ? proxy.cut() : proxy.set(mode))));
      }
    }
  };

  // One after the other for each of whom something happens to, and independently of the others.
  const lanes = new Map<string, Promise<unknown>>();
  const enqueue = (action: Action) => {
    const lane = "of" in action ? `network of ${action.of}` : "name" in action ? action.name : action.kind;
    const done = (lanes.get(lane) ?? Promise.resolve()).then(() => perform(action));
    done.catch(() => {}); // told when all are awaited
    lanes.set(lane, done);
  };
  const startedAtMs = nowMs();
  for (const action of schedule.actions) {
    await sleep(startedAtMs + action.atMs - nowMs());
    enqueue(action);
  }
  await sleep(startedAtMs + FAULTS_MS - nowMs());
  for (const of of names) enqueue({ kind: "network", of, to: "all", mode: "pass" });
  for (const name of servers.keys()) enqueue({ kind: "registrar", name, act: "resume" });
  for (const name of clients.keys()) enqueue({ kind: "client", name, act: "resume" });
  enqueue({ kind: "members", act: "revive", who: "all" });
  await within(HEALED_WITHIN_MS, "not everything could be healed", Promise.all(lanes.values()));
  const healedAtMs = nowMs();

  const record = (final: Reading, settled?: Recording["settled"]): Recording => ({
    lives: livesOf(members.livesSinceMs, auditor.events, compactions),
    intents: [...servers.values()].flatMap((server) => structuredClone(server.intents)),
    clients: [...clients.values()].flatMap((client) => client.records()),
    startedAtMs,
    healedAtMs,
    ...(settled && { settled }),
    final,
  });
  const look = async (since?: Recording["settled"]) => {
    const reading = await linearizableRead(client);
    const recording = record(reading, since);
    return { reading, isWell: [...liveness(recording), ...convergence(recording)].length === 0 };
  };
  let settled: Recording["settled"];
  const isLate = () => nowMs() > healedAtMs + BOUND_MS;
  let isProven = false;
  while (!settled && !isLate()) {
    const { reading, isWell } = await look();
    if (!isWell) await sleep(LOOK_EVERY_MS);
    else if (!isProven) {
      // A view is right as well where nobody listens any more and nothing happens.
      await churn(client, LAST_CHANGES);
      isProven = true;
    } else {
      await sleep(HOLD_MS);
      // Within the bound a lease may still end that was on its last legs. What happens later, the checks tell.
      if ((await look(reading)).isWell || isLate()) settled = { atMs: reading.atMs, revision: reading.revision };
    }
  }
  const final = await linearizableRead(client);
  await auditor.caughtUp();
  const recording = record(final, settled);
  const known = knownUntil(recording.lives.at(-1) as Life); // there is at least one
  if (known < final.revision) throw new Error(`the auditor knows revision ${known}, and etcd is at ${final.revision}`);
  return recording;
}

/** Each epoch that the auditor heard of is the life in which its first event came; a life without events has none. */
function livesOf(
  livesSinceMs: readonly number[],
  events: readonly AuditEvent[],
  compactions: readonly { readonly atMs: number; readonly revision: bigint }[],
): Life[] {
  const lives = livesSinceMs.map((sinceMs, index) => {
    const isOf = ({ atMs }: { readonly atMs: number }) =>
      atMs >= sinceMs && atMs < (livesSinceMs[index + 1] ?? Infinity);
    const compacted = compactions.filter(isOf).map(({ revision }) => revision);
    return { sinceMs, events: [] as AuditEvent[], compactions: compacted };
  });
  for (const [epoch, first] of firstOfEach(events)) {
    const life = lives.findLast(({ sinceMs }) => sinceMs <= first.atMs);
    if (!life || life.events.length > 0) {
      const firsts = [...firstOfEach(events).values()].map(describeEvent).join("; ");
      throw new Error(`the auditor heard of more lives than the cluster had, beginning with ${firsts}`);
    }
    life.events.push(...events.filter((event) => event.epoch === epoch));
  }
  return lives;
}

function firstOfEach(events: readonly AuditEvent[]): ReadonlyMap<number, AuditEvent> {
  return new Map(events.toReversed().map((event) => [event.epoch, event]));
}

async function linearizableRead(client: EtcdClient): Promise<Reading> {
  const { header, kvs } = await client.unary(KV.method.range, prefixRange("/services/"), { timeoutMs: 20_000 });
  return {
    atMs: nowMs(),
    revision: header?.revision ?? 0n,
    entries: new Map(
      kvs.map(({ key, value, lease }) => [keyText(key), { value: new TextDecoder().decode(value), lease }]),
    ),
  };
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const timeout = new AbortController();
  const late = sleep(ms, undefined, { signal: timeout.signal }).then(() => {
    throw new Error(`${what} within ${ms} ms`);
  });
  late.catch(() => {}); // aborted
  try {
    return await Promise.race([promise, late]);
  } finally {
    timeout.abort();
  }
}

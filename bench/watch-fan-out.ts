/**
 * A service of 10,000 instances, 200 of which change in a second, and 20 that watch it: what that costs each of them and etcd,
 * and how long a change is on its way to them. First with bare watches, then with views, then with the whole path of a client.
 *
 * CPU is the processes' own account and etcd's, which other work on the machine touches little; delays suffer from it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fill, keyAt, VALUE_BYTES, valueAt } from "./support/crowd.js";
import type { Account, Kind, Step, Word } from "./support/crowd-watcher.js";
import { startEtcd } from "./support/etcd.js";
import { putter } from "./support/putter.js";
import { figure, report } from "./support/report.js";
import { median, quantile } from "./support/statistics.js";

const INSTANCES = 10_000;
const PROCESSES = 4;
const WATCHERS_EACH = 5;
const CHANGES_PER_SECOND = 200;
const WARM_UP_MS = 3_000;
const MEASURED_MS = 10_000;
/** For the last change to arrive. */
const SETTLE_MS = 1_000;

interface Pass {
  /** Percent of a core, of one watcher and of etcd. */
  readonly cpuOfWatcher: number;
  readonly cpuOfEtcd: number;
  readonly heapOfWatcher: number;
  readonly memoryOfEtcd: number;
  readonly stepsPerSecond: number;
  readonly delaysMs: readonly number[];
  readonly changesPerSecond: number;
}

await using etcd = await startEtcd();
const writer = putter(etcd.endpoint);
await fill(writer, "book", INSTANCES);
let release = 1;

const passes: Readonly<Record<Kind, Pass>> = {
  bare: await pass("bare"),
  view: await pass("view"),
  client: await pass("client"),
};
writer.close();

const { bare, view, client } = passes;
const row = (what: string, of: (pass: Pass) => string) => `| ${what} | ${[bare, view, client].map(of).join(" | ")} |`;
report({
  bench: "watch-fan-out",
  about:
    `${PROCESSES * WATCHERS_EACH} watchers, ${WATCHERS_EACH} to a process, of a service of ${INSTANCES} instances with values of ` +
    `${VALUE_BYTES} bytes, ${CHANGES_PER_SECOND} of which change in a second, for ${MEASURED_MS / 1_000} s.`,
  targets: [
    { what: "CPU of a view, of a core", unit: " %", atMost: 10, measured: view.cpuOfWatcher },
    { what: "CPU of a client, of a core", unit: " %", atMost: 25, measured: client.cpuOfWatcher },
    {
      what: "CPU of etcd, of that with bare watches",
      unit: " ×",
      atMost: 1.2,
      measured: view.cpuOfEtcd / bare.cpuOfEtcd,
    },
    { what: "memory of a view", unit: " MiB", atMost: 64, measured: view.heapOfWatcher / 2 ** 20 },
    { what: "acknowledgement → view, p99", unit: " ms", atMost: 100, measured: quantile(view.delaysMs, 0.99) },
  ],
  details: [
    "| | bare watch | view | client |",
    "|---|---:|---:|---:|",
    row("CPU of one, of a core", (pass) => `${figure(pass.cpuOfWatcher)} %`),
    row("CPU of etcd, of a core", (pass) => `${figure(pass.cpuOfEtcd)} %`),
    row("memory of one", (pass) => `${figure(pass.heapOfWatcher / 2 ** 20)} MiB`),
    row("memory of etcd", (pass) => `${figure(pass.memoryOfEtcd / 2 ** 20)} MiB`),
    row("views, or responses, a second", (pass) => figure(pass.stepsPerSecond)),
    row("changes a second", (pass) => figure(pass.changesPerSecond)),
    row("acknowledgement → seen, median", (pass) => `${figure(median(pass.delaysMs))} ms`),
    row("p99", (pass) => `${figure(quantile(pass.delaysMs, 0.99))} ms`),
  ],
  beside: [etcd.version],
});

async function pass(kind: Kind): Promise<Pass> {
  const crowds: ReturnType<typeof crowd>[] = [];
  for (let started = 0; started < PROCESSES; started += 1) {
    const next = crowd(kind);
    await next.watching;
    crowds.push(next);
  }
  await change(WARM_UP_MS);
  await Promise.all(crowds.map(({ start }) => start()));
  const before = await etcdUse();
  const acknowledged = await change(MEASURED_MS);
  const after = await etcdUse();
  await sleep(SETTLE_MS);
  const accounts = await Promise.all(crowds.map(({ stop }) => stop()));
  const seconds = (after.atMs - before.atMs) / 1_000;
  return {
    cpuOfWatcher: median(accounts.map(({ cpuMs, elapsedMs }) => (100 * cpuMs) / elapsedMs / WATCHERS_EACH)),
    cpuOfEtcd: (100 * (after.cpuSeconds - before.cpuSeconds)) / seconds,
    heapOfWatcher: median(accounts.map(({ heapBytes }) => heapBytes / WATCHERS_EACH)),
    memoryOfEtcd: after.residentBytes,
    stepsPerSecond:
      median(accounts.flatMap(({ steps, elapsedMs }) => steps.map(({ length }) => length / elapsedMs))) * 1_000,
    delaysMs: accounts.flatMap(({ steps }) => steps.flatMap((own) => delays(acknowledged, own))),
    changesPerSecond: acknowledged.length / seconds,
  };
}

/** Changes one instance after the other, all over the set, and gives when which revision was acknowledged. */
async function change(durationMs: number): Promise<readonly Step[]> {
  const made: Promise<Step>[] = [];
  const startedMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - startedMs) {
    for (const due = (elapsedMs * CHANGES_PER_SECOND) / 1_000; made.length < due; ) {
      release += 1;
      const n = (release * 7_919) % INSTANCES;
      made.push(writer.put(keyAt("book", n), valueAt(n, release)).then(({ revision, atNs }) => [revision, atNs]));
    }
    await sleep(1);
  }
  const acknowledged = await Promise.all(made);
  return acknowledged.sort(([a], [b]) => Number(a - b));
}

/** From each acknowledgement to the first step that includes it. */
function delays(acknowledged: readonly Step[], steps: readonly Step[]): number[] {
  let step = 0;
  return acknowledged.map(([revision, atNs]) => {
    while (step < steps.length && (steps[step]?.[0] ?? 0n) < revision) step += 1;
    const seenAtNs = steps[step]?.[1];
    if (seenAtNs === undefined) throw new Error(`a watcher has not seen revision ${revision}`);
    return Number(seenAtNs - atNs) / 1e6;
  });
}

async function etcdUse() {
  return {
    atMs: performance.now(),
    cpuSeconds: await etcd.counter("process_cpu_seconds_total"),
    residentBytes: await etcd.counter("process_resident_memory_bytes"),
  };
}

function crowd(kind: Kind) {
  const program = fileURLToPath(new URL("support/crowd-watcher.js", import.meta.url));
  const args = [kind, etcd.endpoint, "book", String(WATCHERS_EACH)];
  const child = fork(program, args, { execArgv: ["--expose-gc"], serialization: "advanced" });
  return {
    watching: hears(child, "watching"),
    start() {
      const started = hears(child, "started");
      child.send("start");
      return started;
    },
    async stop(): Promise<Account> {
      const accounted = hears(child, "account");
      child.send("stop");
      const account = await accounted;
      child.kill();
      await once(child, "exit");
      return account;
    },
  };
}

function hears<K extends Word["kind"]>(child: ChildProcess, kind: K): Promise<Extract<Word, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const listen = (word: Word) => {
      if (word.kind !== kind) return;
      child.off("message", listen);
      resolve(word as Extract<Word, { kind: K }>); // the kind says so
    };
    child.on("message", listen);
    child.once("exit", () => reject(new Error("a watching process ended early")));
  });
}

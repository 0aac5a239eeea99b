/**
 * A service of 10,000 instances seen by a warm process: how long to the first view, what it costs to keep it, and what one
 * change costs.
 *
 * Warm: the process has seen another service of that size five times, so that its code is compiled; its connection is new.
 * That a change re-reads nothing is etcd's own word: its counters of Range requests and of bytes sent to clients.
 */
import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fill, keyAt, VALUE_BYTES, valueAt } from "./support/crowd.js";
import { startEtcd } from "./support/etcd.js";
import type { Word } from "./support/onlooker.js";
import { putter } from "./support/putter.js";
import { figure, report } from "./support/report.js";
import { median } from "./support/statistics.js";
import type { Seen } from "./support/watcher.js";

const INSTANCES = 10_000;
const PROCESSES = 5;
const CHANGES = 100;
const PAUSE_MS = 15;
/** Of a watch, one key each time; see cluster-revision.ts. */
const CHECK_EVERY_MS = 5_000;

/** Of `CHANGES` changes. */
interface Cost {
  readonly ranges: number;
  readonly bytes: number;
  readonly latenciesMs: readonly number[];
}

await using etcd = await startEtcd();
const writer = putter(etcd.endpoint);
await fill(writer, "warm-up", INSTANCES);
await fill(writer, "book", INSTANCES);

const firsts: Extract<Word, { kind: "first" }>[] = [];
const changes: Cost[] = [];
for (let process = 1; process <= PROCESSES; process += 1) {
  const looking = onlooker();
  const first = await looking.first;
  if (first.instances !== INSTANCES) throw new Error(`the first view has ${first.instances} instances`);
  firsts.push(first);
  changes.push(await costOfChanges(process, looking.sees));
  looking.stop();
}
writer.close();

const heapBytes = Math.max(...firsts.map((first) => first.heapBytes));
report({
  bench: "registry-scale",
  about: `A service of ${INSTANCES} instances with values of ${VALUE_BYTES} bytes, in ${PROCESSES} warm processes, one after the other.`,
  targets: [
    {
      what: "until the first view, slowest process",
      unit: " ms",
      atMost: 1_000,
      measured: Math.max(...firsts.map((first) => first.tookMs)),
    },
    { what: "more memory after a collection, largest", unit: " MiB", atMost: 64, measured: heapBytes / 2 ** 20 },
    {
      what: `Range requests for ${CHANGES} changes, but for the check of the cluster's revision each ${CHECK_EVERY_MS / 1_000} s`,
      unit: "",
      atMost: 0,
      measured: Math.max(...changes.map(({ ranges }) => ranges)),
    },
  ],
  details: [
    "| | median |",
    "|---|---:|",
    `| until the first view | ${figure(median(firsts.map((first) => first.tookMs)))} ms |`,
    `| memory of an instance | ${figure(median(firsts.map((first) => first.heapBytes)) / INSTANCES)} bytes |`,
    `| acknowledgement of one change → new view | ${figure(median(changes.flatMap(({ latenciesMs }) => latenciesMs)))} ms |`,
    `| sent by etcd for one change, to who put and who watches | ${figure(median(changes.map(({ bytes }) => bytes)) / CHANGES)} bytes |`,
  ],
  beside: [etcd.version],
});

/** Each change is made after a pause that is longer than the one between two views. */
async function costOfChanges(release: number, sees: (revision: bigint) => Promise<bigint>): Promise<Cost> {
  const before = await counters();
  const startedMs = performance.now();
  const latenciesMs: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    await sleep(PAUSE_MS);
    const n = change * (INSTANCES / CHANGES);
    const { revision, atNs } = await writer.put(keyAt("book", n), valueAt(n, release + 1));
    latenciesMs.push(Number((await sees(revision)) - atNs) / 1e6);
  }
  const after = await counters();
  const checks = Math.ceil((performance.now() - startedMs) / CHECK_EVERY_MS);
  return { ranges: Math.max(0, after.ranges - before.ranges - checks), bytes: after.bytes - before.bytes, latenciesMs };
}

async function counters() {
  return {
    ranges: await etcd.counter("grpc_server_started_total", 'grpc_method="Range"'),
    bytes: await etcd.counter("etcd_network_client_grpc_sent_bytes_total"),
  };
}

function onlooker() {
  const program = fileURLToPath(new URL("support/onlooker.js", import.meta.url));
  const child = fork(program, [etcd.endpoint, "warm-up", "book"], {
    execArgv: ["--expose-gc"],
    serialization: "advanced",
  });
  let seen: Seen = { revision: 0n, atNs: 0n };
  let wake = () => {};
  const first = new Promise<Extract<Word, { kind: "first" }>>((resolve) => {
    child.on("message", (word: Word) => {
      if (word.kind === "first") return resolve(word);
      seen = word;
      wake();
    });
  });
  return {
    first,
    async sees(revision: bigint) {
      while (seen.revision < revision) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return seen.atNs;
    },
    stop: () => void child.kill(),
  };
}

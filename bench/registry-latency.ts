/**
 * From etcd's acknowledgement of a put to the new view in another process, beside a bare watch of another put.
 *
 * Two processes watch, one through rollcall and one through a bare grpc-js stream, each a service of its own, so that a
 * put wakes one of them. Puts go to the two in turn, each after the one before was seen and a random pause that is longer
 * than the one between two views. Acknowledged means that the headers of etcd's answer reached the process that put.
 */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startEtcd } from "./support/etcd.js";
import { type Acknowledged, putter } from "./support/putter.js";
import { figure, report } from "./support/report.js";
import { median, quantile } from "./support/statistics.js";
import type { Seen } from "./support/watcher.js";

// Of a thousand, the median of the bare watch differs by a fifth from run to run.
const PUTS = 5_000;
const WARM_UP_PUTS = 200;
const INSTANCES = 100;
const PAUSE_MS = { least: 12, most: 20 };

await using etcd = await startEtcd();
const writer = putter(etcd.endpoint);
const bare = await watcher("bare");
const view = await watcher("view");
const fromAcknowledgement = { bare: [] as number[], view: [] as number[] };
const fromRequest = { bare: [] as number[], view: [] as number[] };

for (let n = -WARM_UP_PUTS; n < PUTS; n += 1) {
  // Who goes first changes, so that neither always has the quieter machine.
  for (const each of n % 2 === 0 ? [bare, view] : [view, bare]) {
    await sleep(PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least));
    const askedAtNs = process.hrtime.bigint();
    const [acknowledged, seenAtNs] = await each.sees(change(each.kind, n));
    if (n < 0) continue;
    fromAcknowledgement[each.kind].push(milliseconds(seenAtNs - acknowledged.atNs));
    fromRequest[each.kind].push(milliseconds(seenAtNs - askedAtNs));
  }
}
bare.stop();
view.stop();
writer.close();

const early = figure((100 * fromAcknowledgement.bare.filter((ms) => ms < 0).length) / PUTS);
const ofBare = median(fromAcknowledgement.view) / median(fromAcknowledgement.bare);
const ofBareFromRequest = median(fromRequest.view) / median(fromRequest.bare);
const added = median(fromAcknowledgement.view) - median(fromAcknowledgement.bare);
const row = (what: string, values: readonly number[]) =>
  `| ${what} | ${[0.5, 0.9, 0.99].map((q) => figure(quantile(values, q))).join(" | ")} |`;
report({
  bench: "registry-latency",
  about:
    `How long a put takes to be the new view of ${INSTANCES} instances in another process: ${PUTS} puts, and in turn with ` +
    "them as many that a bare grpc-js watch sees.",
  targets: [
    {
      what: "from the acknowledgement, median",
      unit: " ms",
      atMost: 5,
      measured: median(fromAcknowledgement.view),
    },
    {
      what: "from the acknowledgement, median, of that of the bare watch",
      unit: " ×",
      atMost: 1.5,
      measured: ofBare,
    },
  ],
  details: [
    "| ms | median | p90 | p99 |",
    "|---|---:|---:|---:|",
    row("acknowledgement → new view", fromAcknowledgement.view),
    row("acknowledgement → bare watch", fromAcknowledgement.bare),
    row("request → new view", fromRequest.view),
    row("request → bare watch", fromRequest.bare),
    "",
    `rollcall adds ${figure(added)} ms. etcd sends the event and the acknowledgement at the same moment: ${early} % of its ` +
      "events reached the bare watch before the acknowledgement reached the one who put. From the request it is " +
      `${figure(ofBareFromRequest)} ×.`,
  ],
  beside: [etcd.version],
});

/** Each put moves one instance to another port. */
function change(service: string, n: number): Promise<Acknowledged> {
  const host = `10.0.0.${(n + WARM_UP_PUTS) % INSTANCES}`;
  return writer.put(`/services/${service}/${host}:50051`, `${host}:${20_000 + n}`);
}

interface Watcher {
  readonly kind: "bare" | "view";
  /** The acknowledgement of `change`, and when the watcher saw it. */
  sees(change: Promise<Acknowledged>): Promise<readonly [Acknowledged, bigint]>;
  stop(): void;
}

async function watcher(kind: Watcher["kind"]): Promise<Watcher> {
  const program = fileURLToPath(new URL("support/watcher.js", import.meta.url));
  const child: ChildProcess = fork(program, [kind, etcd.endpoint, kind], { serialization: "advanced" });
  const seen = new Map<bigint, bigint>();
  let wake = () => {};
  child.on("message", ({ revision, atNs }: Seen) => {
    seen.set(revision, atNs);
    wake();
  });
  const when = async (revision: bigint) => {
    for (;;) {
      const atNs = seen.get(revision);
      if (atNs !== undefined) return atNs;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await when(0n);
  return {
    kind,
    async sees(change) {
      const acknowledged = await change;
      return [acknowledged, await when(acknowledged.revision)];
    },
    stop: () => void child.kill(),
  };
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6;
}

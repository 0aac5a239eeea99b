/**
 * A process with some of the watchers of the fan-out bench: `node --expose-gc crowd-watcher.js bare|view|client <endpoint>
 * <service> <watchers>`, each with a connection of its own. It says when all of them watch, counts from the word "start", and
 * tells what it took at the word "stop".
 */
import { client, type Membership } from "rollcall";
import { etcd } from "rollcall/etcd";
import { bareClient, watch } from "./bare-etcd.js";

/** A watch without rollcall, a view, or a client's whole path with connections that cost nothing. */
export type Kind = "bare" | "view" | "client";

export interface Account {
  /** CPU of the process between the two words. */
  readonly cpuMs: number;
  readonly elapsedMs: number;
  /** What is reachable, the buffers outside of V8's heap included. */
  readonly heapBytes: number;
  /** Of each watcher: a revision, and when it was seen. */
  readonly steps: readonly (readonly Step[])[];
}

export type Step = readonly [revision: bigint, atNs: bigint];

export type Word = { readonly kind: "watching" | "started" } | ({ readonly kind: "account" } & Account);

const [kind, endpoint = "", service = "", watchers = "1"] = process.argv.slice(2);
const steps: Step[][] = Array.from({ length: Number(watchers) }, () => []);
let began = { cpu: process.cpuUsage(), atMs: performance.now() };

await Promise.all(steps.map((own) => follow((revision) => own.push([revision, process.hrtime.bigint()]))));
say({ kind: "watching" });

process.on("message", (word) => {
  if (word === "start") {
    for (const own of steps) own.length = 0;
    globalThis.gc?.();
    began = { cpu: process.cpuUsage(), atMs: performance.now() };
    say({ kind: "started" });
  } else {
    const { user, system } = process.cpuUsage(began.cpu);
    const elapsedMs = performance.now() - began.atMs;
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    say({ kind: "account", cpuMs: (user + system) / 1_000, elapsedMs, heapBytes: heapUsed + external, steps });
  }
});
process.on("disconnect", () => process.exit());

/** Resolves when it watches. */
function follow(saw: (revision: bigint) => void): Promise<void> {
  return new Promise((resolve) => {
    if (kind === "bare") {
      watch(bareClient(endpoint), `/services/${service}/`, (response) => {
        if (response.created) resolve();
        const revision = response.events.at(-1)?.kv?.modRevision;
        if (revision !== undefined) saw(revision);
      });
      return;
    }
    const registry = etcd({ endpoints: [endpoint], logger: false });
    const seen = (view: Membership) => {
      if (view.state !== "live") return;
      resolve();
      saw(view.revision);
    };
    if (kind === "view") registry.instancer(service).subscribe(seen);
    else {
      const calls = client({ registry, service, connect: () => ({ client: {} }) });
      calls.membership.subscribe(seen);
    }
  });
}

function say(word: Word): void {
  process.send?.(word);
}

/** What the scenarios look at, and how long they wait for it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { EtcdCluster } from "../../support/etcd.js";
import { hex, keyOf } from "../lab/key-history.js";
import type { Participant } from "../lab/participant.js";
import { PATIENCE_MS } from "./trial.js";

export const address = "127.0.0.1:50051";
export const key = keyOf(address);

/** Polls until `look` is true; gives how long it took. Rejects with `otherwise` when that takes longer than anybody waits. */
export async function until(
  look: () => boolean | Promise<boolean>,
  otherwise: string,
  withinMs = PATIENCE_MS,
): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const seen = await look();
    const tookMs = performance.now() - startedMs;
    if (seen) return tookMs;
    if (tookMs > withinMs) throw new Error(`${otherwise} after ${Math.round(withinMs / 1_000)} s`);
    await sleep(50);
  }
}

/** Checks again and again, for that long, that it stays so. */
export async function stays(look: () => boolean | Promise<boolean>, forMs: number, otherwise: string): Promise<void> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < forMs) {
    if (!(await look()))
      throw new Error(`${otherwise} after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    await sleep(50);
  }
}

type Asked = Pick<EtcdCluster, "etcdctl">;

export async function isThere(etcd: Asked, of = key): Promise<boolean> {
  return (await etcd.etcdctl("get", of, "--keys-only")).includes(of);
}

/** The lease of the key, in etcdctl's hexadecimal; undefined when there is none. */
export async function leaseOf(etcd: Asked): Promise<string | undefined> {
  const fields = await etcd.etcdctl("get", key, "-w", "fields");
  const lease = /"Lease" : (\d+)/.exec(fields)?.[1];
  return lease === undefined || lease === "0" ? undefined : hex(BigInt(lease));
}

export function addresses(client: Participant): readonly string[] {
  const view = client.view();
  return view && view.state !== "pending" ? view.instances.map((instance) => instance.address).sort() : [];
}

export function isStale(client: Participant): boolean {
  return client.view()?.state === "stale";
}

/** Puts an instance without a lease, as an operator or a static configuration would. */
export function put(etcd: Asked, at: string): Promise<string> {
  return etcd.etcdctl("put", `/services/book/${at}`, at);
}

/** What the tests of registrations in etcd look at, and how they wait for it. */
import { setTimeout as sleep } from "node:timers/promises";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { afterEach } from "vitest";
import { firstMatch } from "../../src/live.js";
import type { Registration, RegistrationState, Registry } from "../../src/registry/registry.js";
import type { EtcdMember } from "./etcd.js";

export const key = "/services/book/127.0.0.1:50051";
export const address = "127.0.0.1:50051";

const open: Registry[] = [];

/** A quiet registry, closed after the test. */
export function registryAt(endpoints: readonly string[], options: Partial<EtcdOptions> = {}): Registry {
  const registry = etcd({ endpoints, logger: false, ...options });
  open.push(registry);
  return registry;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
});

export interface Stored {
  readonly value: string;
  readonly lease: bigint;
}

/** The tutorial's one key as etcdctl shows it. */
export async function stored(etcdOf: Pick<EtcdMember, "etcdctl">): Promise<Stored | undefined> {
  const { kvs } = JSON.parse(await etcdOf.etcdctl("get", key, "-w", "json"));
  if (!kvs) return undefined;
  // A lease is an int64: JSON.parse would round it.
  const raw = await etcdOf.etcdctl("get", key, "-w", "fields");
  return {
    value: Buffer.from(kvs[0].value, "base64").toString(),
    lease: BigInt(/"Lease" : (\d+)/.exec(raw)?.[1] ?? 0),
  };
}

/** A lease id as etcdctl takes it. */
export const hex = (leaseId: bigint) => leaseId.toString(16);

/** Polls what an operator would look at, until it is so. */
export async function eventually<T>(
  look: () => Promise<T>,
  accept: (seen: T) => boolean,
  withinMs = 15_000,
): Promise<{ readonly seen: T; readonly tookMs: number }> {
  const start = performance.now();
  for (;;) {
    const seen = await look();
    const tookMs = performance.now() - start;
    if (accept(seen)) return { seen, tookMs };
    if (tookMs > withinMs) throw new Error(`not so within ${withinMs} ms; last seen: ${String(seen)}`);
    await sleep(20);
  }
}

export function reaches(registration: Registration, state: RegistrationState, withinMs = 20_000): Promise<unknown> {
  return firstMatch(registration, (status) => status.state === state, AbortSignal.timeout(withinMs));
}

/** The states it goes through from now on, without repetition. */
export function statesOf(registration: Registration): RegistrationState[] {
  const states: RegistrationState[] = [];
  registration.subscribe(({ state }) => {
    if (states.at(-1) !== state) states.push(state);
  });
  return states;
}

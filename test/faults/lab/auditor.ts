/**
 * What truly stood under a prefix at every revision: the witness against which keys and views are held.
 *
 * Why one watch per member, on the members' own endpoints: no fault of a network is on the way, and an event has the time at
 * which the first member told it, also while another hangs. Each watch begins at revision 1, so nothing is missed, and its
 * replay of what is known already tells whether this is still the cluster it was: one that was wiped has a history of its
 * own, under the same cluster id, and begins a new epoch here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type EtcdClientOptions, etcdClient } from "../../../src/registry/etcd/client/client.js";
import { keyText, prefixRange } from "../../../src/registry/etcd/client/key-range.js";
import {
  type Event,
  Event_EventType,
  KV,
  Watch,
  type WatchResponse,
} from "../../../src/registry/etcd/proto/etcd_pb.js";
import { nowMs } from "./participant-protocol.js";

export interface AuditEvent {
  /** From 0; one more for each time that the cluster lost its history. */
  readonly epoch: number;
  readonly key: string;
  /** Absent when the key was deleted. */
  readonly value?: string;
  /** 0 without a lease, and when the key was deleted. */
  readonly lease: bigint;
  readonly modRevision: bigint;
  /** When the first member told it, in milliseconds since the Unix epoch by the monotonic clock. */
  readonly atMs: number;
}

export interface Auditor extends AsyncDisposable {
  /** All that happened, in order, from revision 1 of each epoch on. */
  readonly events: readonly AuditEvent[];
  /** The epoch of the latest event. */
  readonly epoch: number;
  /** What stood there at `revision`: the put that made it, by key. The latest of all without one. */
  at(revision?: bigint, epoch?: number): ReadonlyMap<string, AuditEvent>;
  /** Resolves as soon as `accept` holds, what came before included; rejects when a part of the history cannot be had. */
  until(accept: (auditor: Auditor) => boolean, withinMs?: number): Promise<void>;
  /** The first event that fits, from the beginning on. */
  event(fits: (event: AuditEvent) => boolean, withinMs?: number): Promise<AuditEvent>;
  /** Resolves when `events` has all that a linearizable read shows now, and gives the revision of that read. */
  caughtUp(withinMs?: number): Promise<bigint>;
}

const REOPEN_MS = 100;

export function startAuditor(
  endpoints: readonly string[],
  prefix = "/services/",
  options: Omit<EtcdClientOptions, "endpoints"> = {},
): Auditor {
  const quiet = { logger: false, ...options } as const;
  const reader = etcdClient({ endpoints, ...quiet });
  const watchers = endpoints.map((endpoint) => etcdClient({ endpoints: [endpoint], ...quiet }));
  const events: AuditEvent[] = [];
  const listeners = new Set<() => void>();
  /** The events of this epoch by revision and key. */
  let known = new Map<string, AuditEvent>();
  /** The revisions of which all is known. */
  let heard = new Set<bigint>();
  let epoch = 0;
  let last = 0n;
  let gap: Error | undefined;
  let closed = false;

  const beginEpoch = (startRevision: bigint) => {
    if (startRevision > 1n) gap ??= new Error(`the history before revision ${startRevision} was compacted unseen`);
    epoch += 1;
    last = 0n;
    known = new Map();
    heard = new Set();
  };

  const watch = async (client: (typeof watchers)[number], fromRevision: bigint): Promise<void> => {
    /** The epoch that this watch was seen to belong to. */
    let member: number | undefined;
    let next = 1n;
    const hear = (told: AuditEvent) => {
      if (member !== undefined && member !== epoch) return; // of a cluster that is no more
      const before = known.get(nameOf(told));
      // A revision of which nothing is known is no contradiction: some versions lose an event on one member's watch.
      const contradicts = before ? !same(before, told) : heard.has(told.modRevision);
      const skips = member === undefined && last > 0n && told.modRevision > last;
      // Whoever tells news without having told the old has another history, unless the old was compacted.
      if (contradicts || (skips && fromRevision === 1n)) beginEpoch(fromRevision);
      else if (skips && fromRevision > last + 1n) gap ??= gapBefore(fromRevision);
      member = epoch;
      if (known.has(nameOf(told))) return;
      const event = { ...told, epoch };
      known.set(nameOf(event), event);
      const place = events.findLastIndex((each) => each.epoch < epoch || each.modRevision <= event.modRevision);
      events.splice(place + 1, 0, event);
    };
    await new Promise<void>((resolve) => {
      const stream = client.stream(
        Watch.method.watch,
        {
          onMessage({ canceled, compactRevision, events: news }: WatchResponse) {
            if (canceled) {
              next = compactRevision > 0n ? compactRevision : 1n;
              stream.cancel();
              return resolve();
            }
            const atMs = nowMs();
            for (const each of news) hear(auditEvent(each, atMs));
            // Only now: one revision may change several keys.
            for (const { kv } of news) {
              if (!kv) continue;
              heard.add(kv.modRevision);
              if (kv.modRevision > last) last = kv.modRevision;
            }
            for (const listener of [...listeners]) listener();
          },
          onEnd: () => resolve(),
        },
        { probePrefix: prefix },
      );
      const create = { ...prefixRange(prefix), startRevision: fromRevision };
      stream.send({ requestUnion: { case: "createRequest", value: create } });
    });
    if (closed) return;
    await sleep(REOPEN_MS, undefined, { ref: false });
    return watch(client, next);
  };
  for (const client of watchers) void watch(client, 1n);

  const auditor: Auditor = {
    events,
    get epoch() {
      return epoch;
    },
    at(revision, ofEpoch = epoch) {
      if (gap) throw gap;
      const set = new Map<string, AuditEvent>();
      for (const event of events) {
        if (event.epoch !== ofEpoch || (revision !== undefined && event.modRevision > revision)) continue;
        if (event.value === undefined) set.delete(event.key);
        else set.set(event.key, event);
      }
      return set;
    },
    until: (accept, withinMs = 20_000) =>
      new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          clearTimeout(timer);
          listeners.delete(look);
          settle();
        };
        const look = () => {
          if (gap) end(() => reject(gap));
          else if (accept(auditor)) end(resolve);
        };
        const timer = setTimeout(() => {
          const latest = events.slice(-5).map(describeEvent).join("; ");
          end(() => reject(new Error(`not so within ${withinMs} ms; the latest events: ${latest || "none"}`)));
        }, withinMs);
        listeners.add(look);
        look();
      }),
    async event(fits, withinMs) {
      let found: AuditEvent | undefined;
      await auditor.until(() => {
        found ??= events.find(fits);
        return found !== undefined;
      }, withinMs);
      return found as AuditEvent; // or `until` had rejected
    },
    async caughtUp(withinMs = 20_000) {
      const { kvs, header } = await reader.unary(KV.method.range, prefixRange(prefix), { timeoutMs: withinMs });
      const revision = header?.revision ?? 0n;
      await auditor.until(() => {
        const set = auditor.at(revision);
        const isThere = ({ key, modRevision }: (typeof kvs)[number]) =>
          set.get(keyText(key))?.modRevision === modRevision;
        return set.size === kvs.length && kvs.every(isThere);
      }, withinMs);
      return revision;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await Promise.all([reader, ...watchers].map((client) => client.close()));
    },
  };
  return auditor;
}

function auditEvent({ type, kv }: Event, atMs: number): AuditEvent {
  if (!kv) throw new Error("etcd told an event without its key");
  const value = type === Event_EventType.DELETE ? {} : { value: new TextDecoder().decode(kv.value) };
  return { epoch: 0, key: keyText(kv.key), ...value, lease: kv.lease, modRevision: kv.modRevision, atMs };
}

function nameOf({ modRevision, key }: AuditEvent): string {
  return `${modRevision} ${key}`;
}

function same(a: AuditEvent, b: AuditEvent): boolean {
  return a.value === b.value && a.lease === b.lease;
}

function gapBefore(revision: bigint): Error {
  return new Error(`the history before revision ${revision} was compacted unseen`);
}

/** An event as a person reads it. */
export function describeEvent({ epoch, modRevision, key, value, lease }: AuditEvent): string {
  const what = value === undefined ? "deleted" : `= ${value} (lease ${lease.toString(16)})`;
  return `${epoch}/${modRevision} ${key} ${what}`;
}

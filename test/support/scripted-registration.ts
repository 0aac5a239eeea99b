/**
 * A registration over a scripted etcd, in virtual time, with what its tests say and ask again and again. The variables are those
 * of the test that runs: `reset` fills them anew.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { EtcdError } from "../../src/registry/etcd/client/etcd-error.js";
import {
  Event_EventType,
  type KeyValueSchema,
  KV,
  Lease,
  type TxnRequest,
  type TxnResponseSchema,
  Watch,
} from "../../src/registry/etcd/proto/etcd_pb.js";
import { LeaseKeeper } from "../../src/registry/etcd/registration/lease-keeper.js";
import { EtcdRegistration } from "../../src/registry/etcd/registration/registration.js";
import { goKitLayout } from "../../src/registry/layouts/go-kit.js";
import type { Layout } from "../../src/registry/layouts/layout.js";
import type { RegistrationState } from "../../src/registry/registry.js";
import { virtualClock } from "../../src/testing/virtual-clock.js";
import { scriptedEtcdClient } from "./scripted-etcd-client.js";

export const address = "10.0.0.1:80";
export const key = `/services/book/${address}`;
export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (value: Uint8Array) => new TextDecoder().decode(value);
/** Whose term every answer has. */
export let term: bigint;
export const elect = () => {
  term += 1n;
};
export const header = (revision: bigint) => ({ clusterId: 7n, memberId: 1n, raftTerm: term, revision });
export const unavailable = () => new EtcdError("unavailable", 14, "member-1: connection refused");
export const leaseNotFound = () => new EtcdError("lease-not-found", 5, "etcdserver: requested lease not found");

export type Pair = MessageInitShape<typeof KeyValueSchema>;

export let clock: ReturnType<typeof virtualClock>;
export let client: ReturnType<typeof scriptedEtcdClient>;
export let registration: EtcdRegistration;
export let states: RegistrationState[];
export let log: string[];
export let started: Promise<unknown>;
export let outcome: unknown;

export function make(layout: Layout = goKitLayout()): void {
  // All but fixed: every pause is half of its bound, and yet no two lease ids are the same.
  let drawn = 0;
  const random = () => {
    drawn += 1;
    return 0.5 - drawn / 1e9;
  };
  const parts = { client, clock, random };
  const logger = { warn: (line: string) => void log.push(line), info: () => {} };
  const environment = { ...parts, keeper: new LeaseKeeper(parts), layout, ttlMs: 10_000, logger };
  registration = new EtcdRegistration(environment, "book", { address }, () => {});
}

export function start(options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {}): void {
  outcome = "waiting";
  started = registration.start({ timeoutMs: 10_000, ...options }).then(
    () => {
      outcome = "registered";
      registration.subscribe(({ state }) => states.push(state));
    },
    (error: unknown) => {
      outcome = error;
    },
  );
}

/** Before each test. */
export function reset(): void {
  clock = virtualClock();
  client = scriptedEtcdClient();
  states = [];
  log = [];
  term = 2n;
  make();
}

export const idOf = () => registration.lease.id;
export const ours = (value = address, modRevision = 10n, lease = idOf()): Pair => ({
  key: bytes(key),
  value: bytes(value),
  lease,
  modRevision,
});
export const reading = (revision: bigint, ...kvs: readonly Pair[]): MessageInitShape<typeof TxnResponseSchema> => ({
  header: header(revision),
  succeeded: true,
  responses: [{ response: { case: "responseRange", value: { kvs: [...kvs] } } }],
});
export const grant = async () => {
  const call = client.nextCall(Lease.method.leaseGrant);
  await call.answer({ header: header(1n), ID: call.request.ID, TTL: call.request.TTL });
  return call.request.ID;
};
/** Answers the read of a claim with what stands there, and the write that follows with success. */
export const claim = async (revision: bigint, ...kvs: readonly Pair[]): Promise<TxnRequest> => {
  await client.nextCall(KV.method.txn).answer(reading(revision - 1n, ...kvs));
  const write = client.nextCall(KV.method.txn);
  await write.answer({ header: header(revision), succeeded: true });
  return write.request;
};
export const register = async () => {
  start();
  await grant();
  await claim(10n);
  await started;
  expect(outcome).toBe("registered");
};
export const watch = () => client.nextStream(Watch.method.watch);
export const keepAlive = () => client.nextStream(Lease.method.leaseKeepAlive);
/** The newest stream of renewals that waits for an answer. */
export const answerable = async () => {
  let stream = keepAlive();
  for (;;) {
    while (client.waitingStreams(Lease.method.leaseKeepAlive) > 0) stream = keepAlive();
    if (stream.ended === undefined && stream.sent.length > 0) return stream;
    await clock.advance(50);
  }
};
export const deleted = (modRevision: bigint) => ({
  header: header(modRevision),
  events: [{ type: Event_EventType.DELETE, kv: { key: bytes(key), modRevision } }],
});
export const written = (kv: Pair) => ({
  header: header(kv.modRevision ?? 0n),
  events: [{ type: Event_EventType.PUT, kv }],
});
export const puts = ({ success }: TxnRequest) =>
  success.flatMap(({ request }) =>
    request.case === "requestPut" ? [[text(request.value.key), text(request.value.value), request.value.lease]] : [],
  );
export const removals = ({ success }: TxnRequest) =>
  success.flatMap(({ request }) => (request.case === "requestDeleteRange" ? [text(request.value.key)] : []));
export const grants = () => client.waitingCalls(Lease.method.leaseGrant);
export const revoked = () => {
  const ids: bigint[] = [];
  while (client.waitingCalls(Lease.method.leaseRevoke) > 0)
    ids.push(client.nextCall(Lease.method.leaseRevoke).request.ID);
  return ids;
};
export const renew = (stream: ReturnType<typeof keepAlive>, id = idOf(), raftTerm = term) =>
  stream.message({ header: { ...header(20n), raftTerm }, ID: id, TTL: 10n });
/** Its next renewal is answered by a member that knows a new leader. */
export const reelected = async (stream = keepAlive()) => {
  elect();
  await clock.advance(3_500);
  renew(stream);
  return stream;
};
/** The longest that the grant of a fresh lease is put off: a sixth of the TTL. */
export const spread = () => clock.advance(1_667);

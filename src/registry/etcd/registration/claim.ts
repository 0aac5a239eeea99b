/**
 * Writing, reading and judging the keys of one registration.
 *
 * Why read, then write only what was read: a claim whose reply was lost may have happened, and a key may have found another
 * owner since. Each write is bound to the revisions just read, so it may be sent twice, never overwrites what it has not
 * seen, and a claim that did happen is recognised by our lease id in the keys. That makes one function of the first claim,
 * the claim after a fault, the check and the update.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { KeyValue } from "../../layouts/layout.js";
import type { EtcdClient } from "../client/client.js";
import { keyBytes, keyText } from "../client/key-range.js";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  type CompareSchema,
  type KeyValue as EtcdKeyValue,
  KV,
  type RequestOpSchema,
  type TxnResponse,
} from "../proto/etcd_pb.js";
import { termOf } from "./lease.js";

/** What stands in etcd against what we wrote. */
export type Judgement =
  | { readonly type: "intact" }
  /** Not as written, and nobody else's: it may be written again. */
  | { readonly type: "disturbed"; readonly reason: string }
  /** Another lease holds it. */
  | { readonly type: "taken"; readonly by: string };

export type ClaimResult = (Extract<Judgement, { readonly type: "taken" }> | { readonly type: "claimed" }) & {
  /** The store's revision at which this was so; whatever happens to the keys later has a higher one. */
  readonly revision: bigint;
  /** The raft term of the member that said so, after all that it had heard of the leader. */
  readonly term: bigint;
};

export interface ClaimOptions {
  readonly leaseId: bigint;
  /** Leases of our own that the keys are moved from. */
  readonly former?: readonly bigint[];
  /** Whether keys of another lease are taken over. */
  readonly takeOver: boolean;
  /** Keys that we wrote before and no longer want: removed in the same transaction. */
  readonly obsolete?: readonly string[];
  readonly signal: AbortSignal;
  /** Of each of its calls. */
  readonly timeoutMs: number;
}

/** Puts all `entries` under the lease in one transaction, unless they are so already or one of them is somebody else's. */
export async function claim(
  client: EtcdClient,
  entries: readonly KeyValue[],
  { leaseId, former = [], takeOver, obsolete = [], ...call }: ClaimOptions,
): Promise<ClaimResult> {
  const keys = [...entries.map(({ key }) => key), ...obsolete];
  const isOurs = (lease = 0n) => lease === leaseId || former.includes(lease);
  let seen = await readKeys(client, keys, call);
  for (;;) {
    const { revision, term } = seen;
    const judgement = judgeAll(entries, seen.found, leaseId, former);
    if (judgement.type === "taken" && !takeOver) return { ...judgement, revision, term };
    const removals = obsolete.filter((key) => isOurs(seen.found.get(key)?.lease));
    if (judgement.type === "intact" && removals.length === 0) return { type: "claimed", revision, term };
    const response = await client.unary(
      KV.method.txn,
      {
        compare: keys.map((key) => unchanged(key, seen.found.get(key))),
        success: [...entries.map((entry) => put(entry, leaseId)), ...removals.map(remove)],
        failure: keys.map(range),
      },
      call,
    );
    seen = readIn(response);
    if (response.succeeded) return { type: "claimed", revision: seen.revision, term: seen.term };
  }
}

export interface KeysRead {
  readonly found: ReadonlyMap<string, EtcdKeyValue>;
  readonly revision: bigint;
  readonly term: bigint;
}

/** The keys as they stood at one revision; absent ones are left out. */
export async function readKeys(
  client: EtcdClient,
  keys: readonly string[],
  call: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<KeysRead> {
  const response = await client.unary(KV.method.txn, { success: keys.map(range) }, call);
  return readIn(response);
}

/** The judgement of all keys together: one that is taken outweighs one that is disturbed. */
export function judgeAll(
  entries: readonly KeyValue[],
  found: ReadonlyMap<string, EtcdKeyValue>,
  leaseId: bigint,
  former: readonly bigint[] = [],
): Judgement {
  const judgements = entries.map((entry) => judge(entry, found.get(entry.key), leaseId, former));
  return (
    judgements.find(({ type }) => type === "taken") ??
    judgements.find(({ type }) => type === "disturbed") ?? { type: "intact" }
  );
}

function judge(
  { key, value }: KeyValue,
  found: EtcdKeyValue | undefined,
  leaseId: bigint,
  former: readonly bigint[],
): Judgement {
  if (found === undefined) return { type: "disturbed", reason: `its key ${key} was deleted` };
  if (found.lease === 0n) return { type: "disturbed", reason: `its key ${key} was overwritten and has no lease` };
  if (former.includes(found.lease)) return { type: "disturbed", reason: `its key ${key} is under its former lease` };
  if (found.lease !== leaseId) return { type: "taken", by: leaseName(found.lease) };
  if (!equalBytes(found.value, value))
    return { type: "disturbed", reason: `the value of its key ${key} was overwritten` };
  return { type: "intact" };
}

/** A lease as etcdctl prints it. */
function leaseName(leaseId: bigint): string {
  return `lease ${leaseId.toString(16).padStart(16, "0")}`;
}

function unchanged(key: string, found: EtcdKeyValue | undefined): MessageInitShape<typeof CompareSchema> {
  return {
    key: keyBytes(key),
    result: Compare_CompareResult.EQUAL,
    target: Compare_CompareTarget.MOD,
    targetUnion: { case: "modRevision", value: found?.modRevision ?? 0n },
  };
}

function put({ key, value }: KeyValue, leaseId: bigint): MessageInitShape<typeof RequestOpSchema> {
  return { request: { case: "requestPut", value: { key: keyBytes(key), value, lease: leaseId } } };
}

function remove(key: string): MessageInitShape<typeof RequestOpSchema> {
  return { request: { case: "requestDeleteRange", value: { key: keyBytes(key) } } };
}

function range(key: string): MessageInitShape<typeof RequestOpSchema> {
  return { request: { case: "requestRange", value: { key: keyBytes(key) } } };
}

function readIn({ header, responses }: TxnResponse): KeysRead {
  const found = responses
    .flatMap(({ response: { case: kind, value } }) => (kind === "responseRange" ? value.kvs : []))
    .map((entry) => [keyText(entry.key), entry] as const);
  return { found: new Map(found), revision: header?.revision ?? 0n, term: termOf(header) };
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

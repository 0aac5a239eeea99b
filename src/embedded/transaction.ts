/** Transactions: compares over one state, then one branch of operations as one revision. */
import { create } from "@bufbuild/protobuf";
import {
  type Compare,
  Compare_CompareResult as CompareResult,
  Compare_CompareTarget as CompareTarget,
  type KeyValue,
  KeyValueSchema,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type ResponseOp,
  ResponseOpSchema,
  type TxnRequest,
  type TxnResponse,
  TxnResponseSchema,
} from "../registry/etcd/proto/etcd_pb.js";
import { EtcdError } from "./errors.js";
import { contains, keyRange, keyString, literalRange } from "./key-range.js";
import type { Leases } from "./leases.js";
import {
  deleteRange,
  put,
  refuseEmptyKey,
  refuseLargePuts,
  refuseMalformedPut,
  refuseUnknownKey,
  refuseUnknownLease,
} from "./operations.js";
import { evaluateRange } from "./range-query.js";
import type { ReadView, RevisionStore, WriteView } from "./revision-store.js";

/** etcd's default --max-txn-ops, for the compares and for each branch. */
const MAX_OPERATIONS = 128;

/** Throws where etcd refuses; nothing is written then. */
export function transact(store: RevisionStore, leases: Leases, request: TxnRequest): TxnResponse {
  refuseMalformed(request);
  const succeeded = request.compare.every((compare) => holds(store, compare));
  const branch = succeeded ? request.success : request.failure;
  refusePuts(branch, store, leases);
  refuseRanges(branch, store);
  return store.write((view) => {
    const responses = branch.map((operation) => perform(view, operation));
    return create(TxnResponseSchema, { header: { revision: view.revision }, succeeded, responses });
  });
}

/** What the request's own fields rule out, in both branches, in etcd's order. */
function refuseMalformed({ compare, success, failure }: TxnRequest): void {
  if (Math.max(compare.length, success.length, failure.length) > MAX_OPERATIONS) {
    throw new EtcdError("tooManyOperations");
  }
  compare.forEach(refuseEmptyKey);
  for (const branch of [success, failure]) branch.forEach(refuseMalformedOperation);
  for (const branch of [success, failure]) refuseDuplicateKeys(branch);
  refuseLargePuts([...success, ...failure].flatMap(putOf));
}

function refuseMalformedOperation({ request }: RequestOp): void {
  switch (request.case) {
    case "requestRange":
    case "requestDeleteRange":
      refuseEmptyKey(request.value);
      break;
    case "requestPut":
      refuseMalformedPut(request.value);
      break;
    case "requestTxn":
      throw new EtcdError("nestedTransaction");
    case undefined:
      throw new EtcdError("keyNotFound"); // etcd's answer to an operation with nothing in it
  }
}

/**
 * One revision changes a key once: no two puts of it, and none where a deletion reaches, whatever the order. As in etcd,
 * only a deletion of everything from a key on is overlooked.
 */
function refuseDuplicateKeys(branch: readonly RequestOp[]): void {
  const deletions = branch.flatMap(({ request }) =>
    request.case === "requestDeleteRange" ? [literalRange(request.value.key, request.value.rangeEnd)] : [],
  );
  const seen = new Set<string>();
  for (const request of branch.flatMap(putOf)) {
    const key = keyString(request.key);
    if (seen.has(key) || deletions.some((range) => contains(range, key))) throw new EtcdError("duplicateKey");
    seen.add(key);
  }
}

function refusePuts(branch: readonly RequestOp[], view: ReadView, leases: Leases): void {
  for (const request of branch.flatMap(putOf)) {
    refuseUnknownKey(request, view);
    refuseUnknownLease(request, leases);
  }
}

function refuseRanges(branch: readonly RequestOp[], store: RevisionStore): void {
  for (const { revision } of branch.flatMap(rangeOf)) {
    if (revision > store.revision) throw new EtcdError("futureRevision");
    if (revision !== 0n && revision < store.compactedRevision) throw new EtcdError("compacted");
  }
}

function perform(view: WriteView, { request }: RequestOp): ResponseOp {
  switch (request.case) {
    case "requestRange":
      return answer({ case: "responseRange", value: evaluateRange(view, request.value) });
    case "requestPut":
      return answer({ case: "responsePut", value: put(view, request.value) });
    case "requestDeleteRange":
      return answer({ case: "responseDeleteRange", value: deleteRange(view, request.value) });
    default:
      throw new TypeError(`an operation that was not refused: ${request.case}`);
  }
}

function answer(response: ResponseOp["response"]): ResponseOp {
  return create(ResponseOpSchema, { response });
}

/** A compare holds when it holds for every key of its range; of no key at all, it is put to a key of zeros, and a value never matches. */
function holds(view: ReadView, compare: Compare): boolean {
  const found = view.read(keyRange(compare.key, compare.rangeEnd));
  if (found.length > 0) return found.every((keyValue) => matches(keyValue, compare));
  return compare.target !== CompareTarget.VALUE && matches(create(KeyValueSchema), compare);
}

function matches(keyValue: KeyValue, compare: Compare): boolean {
  const order = difference(keyValue, compare);
  switch (compare.result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
  }
}

function difference(keyValue: KeyValue, { target, targetUnion }: Compare): number {
  switch (target) {
    case CompareTarget.VALUE:
      return Buffer.compare(keyValue.value, targetUnion.case === "value" ? targetUnion.value : new Uint8Array());
    case CompareTarget.VERSION:
      return sign(keyValue.version - (targetUnion.case === "version" ? targetUnion.value : 0n));
    case CompareTarget.CREATE:
      return sign(keyValue.createRevision - (targetUnion.case === "createRevision" ? targetUnion.value : 0n));
    case CompareTarget.MOD:
      return sign(keyValue.modRevision - (targetUnion.case === "modRevision" ? targetUnion.value : 0n));
    case CompareTarget.LEASE:
      return sign(keyValue.lease - (targetUnion.case === "lease" ? targetUnion.value : 0n));
  }
}

function sign(value: bigint): number {
  return value < 0n ? -1 : Number(value > 0n);
}

function putOf({ request }: RequestOp): PutRequest[] {
  return request.case === "requestPut" ? [request.value] : [];
}

function rangeOf({ request }: RequestOp): RangeRequest[] {
  return request.case === "requestRange" ? [request.value] : [];
}

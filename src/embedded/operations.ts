/**
 * Put, DeleteRange and Range: what is refused, and what is done. A transaction refuses all its operations first and only
 * then does any of them, so the two are separate.
 */
import { create } from "@bufbuild/protobuf";
import {
  type DeleteRangeRequest,
  type DeleteRangeResponse,
  DeleteRangeResponseSchema,
  type PutRequest,
  type PutResponse,
  PutResponseSchema,
} from "../registry/etcd/proto/etcd_pb.js";
import { EtcdError } from "./errors.js";
import { keyRange, keyString, singleKey } from "./key-range.js";
import type { Leases } from "./leases.js";
import type { ReadView, WriteView } from "./revision-store.js";

/** etcd's default --max-request-bytes. */
export const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

export function refuseEmptyKey({ key }: { readonly key: Uint8Array }): void {
  if (key.length === 0) throw new EtcdError("emptyKey");
}

/** What a put's own fields rule out. */
export function refuseMalformedPut(request: PutRequest): void {
  refuseEmptyKey(request);
  if (request.ignoreValue && request.value.length > 0) throw new EtcdError("valueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw new EtcdError("leaseProvided");
}

export function refuseLargePuts(requests: readonly PutRequest[]): void {
  const size = requests.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (size > MAX_REQUEST_BYTES) throw new EtcdError("requestTooLarge");
}

export function refuseUnknownLease(request: PutRequest, leases: Leases): void {
  if (request.lease !== 0n && !leases.has(request.lease)) throw new EtcdError("leaseNotFound");
}

/** `ignore_value` and `ignore_lease` need a key to take the value or the lease from. */
export function refuseUnknownKey(request: PutRequest, view: ReadView): void {
  const keeps = request.ignoreValue || request.ignoreLease;
  if (keeps && view.read(singleKey(keyString(request.key))).length === 0) throw new EtcdError("keyNotFound");
}

export function put(view: WriteView, request: PutRequest): PutResponse {
  const [previous] = view.read(singleKey(keyString(request.key)));
  view.put(
    request.key,
    request.ignoreValue && previous ? previous.value : request.value,
    request.ignoreLease && previous ? previous.lease : request.lease,
  );
  return create(PutResponseSchema, {
    header: { revision: view.revision },
    ...(request.prevKv && previous && { prevKv: previous }),
  });
}

export function deleteRange(view: WriteView, request: DeleteRangeRequest): DeleteRangeResponse {
  const range = keyRange(request.key, request.rangeEnd);
  const prevKvs = request.prevKv ? view.read(range) : [];
  const deleted = BigInt(view.deleteRange(range));
  return create(DeleteRangeResponseSchema, { header: { revision: view.revision }, deleted, prevKvs });
}

/** A Range request evaluated over one state of the store, with etcd's order of steps: filter, sort, cut, then drop the values. */
import { create } from "@bufbuild/protobuf";
import {
  type KeyValue,
  KeyValueSchema,
  type RangeRequest,
  type RangeResponse,
  RangeResponseSchema,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from "../registry/etcd/proto/etcd_pb.js";
import { keyRange } from "./key-range.js";
import type { ReadView } from "./revision-store.js";

/** The header carries only the revision; `count` is of all live keys of the range, whatever is filtered or cut away. */
export function evaluateRange(view: ReadView, request: RangeRequest): RangeResponse {
  const all = view.read(keyRange(request.key, request.rangeEnd), request.revision);
  const answer = { header: { revision: view.revision }, count: BigInt(all.length) };
  if (request.countOnly) return create(RangeResponseSchema, answer);

  const sorted = sort(all.filter(within(request)), request);
  const limit = request.limit > 0n ? Number(request.limit) : sorted.length;
  const kvs = sorted.slice(0, limit);
  return create(RangeResponseSchema, {
    ...answer,
    kvs: request.keysOnly ? kvs.map(withoutValue) : kvs,
    more: sorted.length > limit,
  });
}

function within(request: RangeRequest): (keyValue: KeyValue) => boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return ({ modRevision, createRevision }) =>
    (minModRevision === 0n || modRevision >= minModRevision) &&
    (maxModRevision === 0n || modRevision <= maxModRevision) &&
    (minCreateRevision === 0n || createRevision >= minCreateRevision) &&
    (maxCreateRevision === 0n || createRevision <= maxCreateRevision);
}

function sort(keyValues: KeyValue[], { sortOrder, sortTarget }: RangeRequest): KeyValue[] {
  if (sortOrder === SortOrder.NONE && sortTarget === SortTarget.KEY) return keyValues; // read in key order
  const direction = sortOrder === SortOrder.DESCEND ? -1 : 1; // a target without an order sorts upwards
  return keyValues.sort((a, b) => direction * compareBy(sortTarget, a, b));
}

function compareBy(target: SortTarget, a: KeyValue, b: KeyValue): number {
  switch (target) {
    case SortTarget.KEY:
      return Buffer.compare(a.key, b.key);
    case SortTarget.VERSION:
      return compareIntegers(a.version, b.version);
    case SortTarget.CREATE:
      return compareIntegers(a.createRevision, b.createRevision);
    case SortTarget.MOD:
      return compareIntegers(a.modRevision, b.modRevision);
    case SortTarget.VALUE:
      return Buffer.compare(a.value, b.value);
  }
}

function compareIntegers(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

function withoutValue(keyValue: KeyValue): KeyValue {
  return create(KeyValueSchema, { ...keyValue, value: new Uint8Array() });
}

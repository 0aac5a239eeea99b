/** Parts of transactions. */
import type { Compare_CompareTarget as CompareTarget } from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { EtcdTranscript } from "../etcd-transcript.js";

/** The `range_end` that means: everything from the key on. */
export const FROM_KEY = new Uint8Array(1);

export function put(etcd: EtcdTranscript, name: string, fields: object = {}) {
  return { request: { case: "requestPut", value: { key: etcd.key(name), ...fields } } };
}

export function range(etcd: EtcdTranscript, name: string, fields: object = {}) {
  return { request: { case: "requestRange", value: { key: etcd.key(name), ...fields } } };
}

export function remove(etcd: EtcdTranscript, name: string, fields: object = {}) {
  return { request: { case: "requestDeleteRange", value: { key: etcd.key(name), prevKv: true, ...fields } } };
}

export function compare(
  etcd: EtcdTranscript,
  name: string,
  target: CompareTarget,
  union: string,
  value: bigint | Uint8Array,
  fields: object = {},
) {
  return { key: etcd.key(name), target, targetUnion: { case: union, value }, ...fields };
}

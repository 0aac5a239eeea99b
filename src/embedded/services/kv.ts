import type { KV, ResponseHeader } from "../../registry/etcd/proto/etcd_pb.js";
import { responseHeader } from "../member.js";
import {
  deleteRange,
  put,
  refuseEmptyKey,
  refuseLargePuts,
  refuseMalformedPut,
  refuseUnknownKey,
  refuseUnknownLease,
} from "../operations.js";
import { evaluateRange } from "../range-query.js";
import { currentHeader, type RegistryState } from "../registry-state.js";
import { transact } from "../transaction.js";
import { type Answers, answering } from "./answering.js";

export function kvService(state: RegistryState) {
  const { store, leases, member } = state;

  /** Inside a transaction etcd's answers know only their revision; the outermost one says who gave it. */
  const signed = <T extends { header?: ResponseHeader | undefined }>(response: T): T => ({
    ...response,
    header: responseHeader(member, response.header?.revision ?? store.revision),
  });

  const answers: Answers<typeof KV> = {
    range(request) {
      refuseEmptyKey(request);
      return signed(evaluateRange(store, request));
    },
    put(request) {
      refuseMalformedPut(request);
      refuseLargePuts([request]);
      refuseUnknownLease(request, leases);
      refuseUnknownKey(request, store);
      return signed(store.write((view) => put(view, request)));
    },
    deleteRange(request) {
      refuseEmptyKey(request);
      return signed(store.write((view) => deleteRange(view, request)));
    },
    txn: (request) => signed(transact(store, leases, request)),
    compact({ revision }) {
      store.compact(revision);
      return { header: currentHeader(state) };
    },
  };
  return answering<typeof KV>(answers);
}

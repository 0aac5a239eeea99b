/** etcd's refusals, code and text exactly as its server says them: clients branch on both. Source: etcd api/v3rpc/rpctypes/error.go. */
import { status } from "@grpc/grpc-js";

const refusals = {
  emptyKey: [status.INVALID_ARGUMENT, "etcdserver: key is not provided"],
  keyNotFound: [status.INVALID_ARGUMENT, "etcdserver: key not found"],
  valueProvided: [status.INVALID_ARGUMENT, "etcdserver: value is provided"],
  leaseProvided: [status.INVALID_ARGUMENT, "etcdserver: lease is provided"],
  tooManyOperations: [status.INVALID_ARGUMENT, "etcdserver: too many operations in txn request"],
  duplicateKey: [status.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request"],
  requestTooLarge: [status.INVALID_ARGUMENT, "etcdserver: request is too large"],
  compacted: [status.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted"],
  futureRevision: [status.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision"],
  leaseNotFound: [status.NOT_FOUND, "etcdserver: requested lease not found"],
  leaseExists: [status.FAILED_PRECONDITION, "etcdserver: lease already exists"],
  leaseTtlTooLarge: [status.OUT_OF_RANGE, "etcdserver: too large lease TTL"],
  authNotEnabled: [status.FAILED_PRECONDITION, "etcdserver: authentication is not enabled"],
  serverStopped: [status.UNAVAILABLE, "etcdserver: server stopped"],
  nestedTransaction: [
    status.UNIMPLEMENTED,
    "rollcall's embedded registry does not take a transaction inside a transaction",
  ],
  alarmChange: [status.UNIMPLEMENTED, "rollcall's embedded registry has no alarms to raise or to disarm"],
} as const satisfies Record<string, readonly [status, string]>;

export type Refusal = keyof typeof refusals;

/** A request refused in etcd's words; `code` and `details` are what gRPC sends. */
export class EtcdError extends Error {
  readonly code: status;
  readonly details: string;

  constructor(refusal: Refusal) {
    const [code, details] = refusals[refusal];
    super(details);
    this.name = "EtcdError";
    this.code = code;
    this.details = details;
  }
}

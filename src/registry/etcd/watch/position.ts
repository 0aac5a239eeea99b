/**
 * Where a view stands in the history of a store, and whether that history is still the same.
 *
 * Why the cluster id alone does not tell: etcd derives it from the members' addresses and the token, so a cluster that was
 * wiped and started again with the same flags keeps its id. Its revisions and its raft term begin anew, though, and in one
 * history neither ever goes back. (A rebuilt cluster that has overtaken both before we hear of it cannot be told apart.)
 */

/** What every answer of etcd says about the store it came from. */
export interface StoreHeader {
  readonly clusterId: bigint;
  readonly raftTerm: bigint;
  readonly revision: bigint;
}

/** How far a view has come: exact at `revision`, in the `epoch`-th life of the cluster that it has met. */
export interface Position extends StoreHeader {
  readonly epoch: number;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly modRevision: bigint;
}

/** A key put, or deleted where `value` is absent. */
export interface Change {
  readonly key: string;
  readonly value?: Uint8Array;
  readonly modRevision: bigint;
}

/**
 * Whether `header` can come from the history that `position` is part of. A member that lags behind fails this as well; a
 * linearizable answer that fails it is proof of a rebuilt cluster.
 */
export function continues(position: StoreHeader, header: StoreHeader): boolean {
  return (
    header.clusterId === position.clusterId &&
    header.raftTerm >= position.raftTerm &&
    header.revision >= position.revision
  );
}

/** The epoch of a linearizable answer after `position`. */
export function epochAfter(position: Position | undefined, header: StoreHeader): number {
  if (position === undefined) return 0;
  return continues(position, header) ? position.epoch : position.epoch + 1;
}

/** The header of an answer; every answer of etcd but a refusal has one. */
export function storeHeader(header: StoreHeader | undefined): StoreHeader {
  return {
    clusterId: header?.clusterId ?? 0n,
    raftTerm: header?.raftTerm ?? 0n,
    revision: header?.revision ?? 0n,
  };
}

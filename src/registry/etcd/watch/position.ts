/**
 * Where a view stands in the history of a store, and whether that history is still the same.
 *
 * Why the cluster id alone does not tell: etcd derives it from the members' addresses and the token, so a cluster that was
 * wiped and started again with the same flags keeps its id. Its revisions and its raft term begin anew, though, and in one
 * history neither ever goes back. Where a rebuilt cluster has overtaken both before we hear of it, the keys tell: a lease has
 * its id from chance or from a clock, so no two histories have one key under one lease at one revision.
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
  /** 0 without one. */
  readonly lease: bigint;
}

/** An entry that stands, and would not if the history were another one: of those under a lease the one that was put last. */
export type Landmark = Omit<Entry, "value">;

/** A key put, or deleted where `value` is absent. */
export interface Change {
  readonly key: string;
  readonly value?: Uint8Array;
  readonly modRevision: bigint;
  /** 0 or absent without one. */
  readonly lease?: bigint;
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

/**
 * Whether `header` says of which store it is. etcd's gRPC proxy joins a watch to one that it has open already, and makes up
 * the answer to it: no cluster, no member, no term, and the revision that was asked for.
 */
export function namesItsStore({ clusterId }: StoreHeader): boolean {
  return clusterId !== 0n;
}

/** The epoch of a linearizable answer after `position`; `rebuilt` is what the keys tell. */
export function epochAfter(position: Position | undefined, header: StoreHeader, rebuilt: boolean): number {
  if (position === undefined) return 0;
  return continues(position, header) && !rebuilt ? position.epoch : position.epoch + 1;
}

/** The header of an answer; every answer of etcd but a refusal has one. */
export function storeHeader(header: StoreHeader | undefined): StoreHeader {
  return {
    clusterId: header?.clusterId ?? 0n,
    raftTerm: header?.raftTerm ?? 0n,
    revision: header?.revision ?? 0n,
  };
}

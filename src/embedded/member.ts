import { create } from "@bufbuild/protobuf";
import { type Random, randomLeaseId } from "../random.js";
import { type ResponseHeader, ResponseHeaderSchema } from "../registry/etcd/proto/etcd_pb.js";

/** Who answers: a cluster of one. A new start is a new cluster, since its store begins anew, and clients must see that. */
export interface Member {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly name: string;
}

/** The line of etcd whose answers are given; clients refuse servers that they think too old. */
export const ETCD_VERSION = "3.5.16";

/** A cluster of one elects its leader once. */
export const RAFT_TERM = 2n;

export function newMember(random: Random): Member {
  return { clusterId: randomLeaseId(random), memberId: randomLeaseId(random), name: "rollcall" };
}

export function responseHeader({ clusterId, memberId }: Member, revision: bigint): ResponseHeader {
  return create(ResponseHeaderSchema, { clusterId, memberId, revision, raftTerm: RAFT_TERM });
}

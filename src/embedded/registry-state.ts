import type { Clock } from "../clock.js";
import type { Random } from "../random.js";
import type { ResponseHeader } from "../registry/etcd/proto/etcd_pb.js";
import type { Leases } from "./leases.js";
import { type Member, responseHeader } from "./member.js";
import type { RevisionStore } from "./revision-store.js";

/** What the services of one embedded registry share. */
export interface RegistryState {
  readonly store: RevisionStore;
  readonly leases: Leases;
  readonly member: Member;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends each stream in progress with an error, for when the registry closes. */
  readonly openStreams: Set<(error: Error) => void>;
}

/** The header of an answer given now. */
export function currentHeader({ member, store }: RegistryState): ResponseHeader {
  return responseHeader(member, store.revision);
}

import type { Cluster } from "../../registry/etcd/proto/etcd_pb.js";
import { responseHeader } from "../member.js";
import type { RegistryState } from "../registry-state.js";
import { answering } from "./answering.js";

/**
 * `advertised` gives the address that clients are told to use. They replace their own list by it, so it must be one that
 * reaches us: where we listen on every address, the one by which this client came.
 */
export function clusterService({ member }: RegistryState, advertised: (calledAs: string) => string) {
  return answering<typeof Cluster>({
    memberList: (_request, call) => ({
      header: responseHeader(member, 0n), // etcd gives no revision here
      members: [{ ID: member.memberId, name: member.name, clientURLs: [`http://${advertised(call.getHost())}`] }],
    }),
  });
}

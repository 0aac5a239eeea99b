import { AlarmRequest_AlarmAction as AlarmAction, type Maintenance } from "../../registry/etcd/proto/etcd_pb.js";
import { EtcdError } from "../errors.js";
import { ETCD_VERSION, RAFT_TERM } from "../member.js";
import { currentHeader, type RegistryState } from "../registry-state.js";
import { answering } from "./answering.js";

export function maintenanceService(state: RegistryState) {
  const { member, store } = state;
  return answering<typeof Maintenance>({
    status() {
      const size = BigInt(store.sizeBytes);
      return {
        header: currentHeader(state),
        version: ETCD_VERSION,
        leader: member.memberId,
        raftTerm: RAFT_TERM,
        raftIndex: store.revision, // with no raft, what was applied is what was written
        raftAppliedIndex: store.revision,
        dbSize: size,
        dbSizeInUse: size,
      };
    },
    alarm({ action }) {
      if (action !== AlarmAction.GET) throw new EtcdError("alarmChange");
      return { header: currentHeader(state) };
    },
  });
}

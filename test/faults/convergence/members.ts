/** What befalls the members: paused, killed and wiped, and revived. */
import type { EtcdCluster, EtcdMember } from "../../support/etcd.js";
import { nowMs } from "../lab/participant-protocol.js";
import type { MembersAction } from "./schedule.js";

export interface Members {
  /** When each life of the cluster began. */
  readonly livesSinceMs: readonly number[];
  do(action: Pick<MembersAction, "act" | "who">): Promise<void>;
}

export function membersOf(cluster: EtcdCluster): Members {
  const livesSinceMs = [nowMs()];
  const paused = new Set<EtcdMember>();
  const dead = new Set<EtcdMember>();
  let wiped = false;
  const running = () => cluster.members.filter((member) => !paused.has(member) && !dead.has(member));

  const chosen = async (who: MembersAction["who"]) => {
    const candidates = running();
    if (who === "all") return candidates;
    const leader = await cluster.leader().catch(() => undefined); // in an election, any will do
    const others = candidates.filter((member) => member !== leader);
    if (who === "leader") return [leader ?? candidates[0]].flatMap((member) => member ?? []);
    return others.slice(0, who === "two" ? 2 : 1);
  };
  const kill = async (members: readonly EtcdMember[]) => {
    await Promise.all(members.map((member) => member.kill()));
    for (const member of members) {
      dead.add(member);
      paused.delete(member);
    }
  };
  const revive = async () => {
    for (const member of paused) member.resume();
    paused.clear();
    if (wiped) livesSinceMs.push(nowMs());
    await Promise.all([...dead].map((member) => member.restart({ wipe: wiped })));
    dead.clear();
    wiped = false;
  };
  return {
    livesSinceMs,
    async do({ act, who }) {
      switch (act) {
        case "pause":
          for (const member of await chosen(who)) {
            member.pause();
            paused.add(member);
          }
          return;
        case "kill":
          return kill(await chosen(who));
        case "wipe":
          await kill(cluster.members);
          wiped = true;
          return;
        case "revive":
          return revive();
        case "restart one by one":
          for (const member of cluster.members) {
            await kill([member]);
            await revive();
          }
      }
    },
  };
}

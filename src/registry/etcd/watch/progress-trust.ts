/**
 * Whose progress reports can be believed. In servers before 3.4.25 and 3.5.8 the answer to a progress request may overtake
 * events (etcd issue 15220): a watch resumed from it would miss them for ever. A member's version is asked once; as long as
 * it is unknown, or the question is refused, its reports are not used. All that costs is one full list when a compaction has
 * passed a watch that was quiet.
 */
import type { EtcdClient } from "../client/client.js";
import { Maintenance } from "../proto/etcd_pb.js";

export interface ProgressTrust {
  trusts(memberId: bigint): boolean;
  /** Asks for the version behind `memberId` unless it is known. Whichever member answers is remembered. */
  learn(memberId: bigint): void;
}

/** Shared by all watches over one client. */
export function progressTrust(client: EtcdClient): ProgressTrust {
  const reliable = new Map<bigint, boolean>();
  let asking = false;

  const ask = async () => {
    try {
      const status = await client.unary(Maintenance.method.status, {});
      if (status.header) reliable.set(status.header.memberId, reportsReliably(status.version));
    } catch {
      // Not permitted, or not reachable: unknown, which is answer enough.
    } finally {
      asking = false;
    }
  };

  return {
    trusts: (memberId) => reliable.get(memberId) === true,
    learn(memberId) {
      if (asking || reliable.has(memberId)) return;
      asking = true;
      void ask();
    },
  };
}

/** Whether this version of etcd sends progress reports after the events that they include. */
export function reportsReliably(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+-]/).map(Number);
  if (major !== 3) return major > 3;
  if (minor === 4) return patch >= 25;
  if (minor === 5) return patch >= 8;
  return minor > 5;
}

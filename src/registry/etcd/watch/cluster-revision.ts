/**
 * The cluster's revision by a linearizable read, shared by all watches over one client: a process that watches twenty services
 * asks once, and not twenty times.
 */
import type { Clock } from "../../../clock.js";
import type { EtcdCallOptions, EtcdClient } from "../client/client.js";
import { currentHeader } from "./list.js";
import { continues, type Position, type StoreHeader } from "./position.js";

// Short beside the time between the checks of one watch, long enough for the checks of many to fall into it.
const SHARED_FOR_MS = 1_000;

export interface ClusterRevision {
  /** The cluster's header, of this moment or a second ago; of this moment where the older would be behind `position`. */
  read(prefix: string, position: Position, options: EtcdCallOptions): Promise<StoreHeader>;
}

export function clusterRevision(client: EtcdClient, clock: Clock): ClusterRevision {
  let latest: { readonly header: Promise<StoreHeader>; readonly atMs: number } | undefined;

  return {
    async read(prefix, position, options) {
      for (let shared = latest; shared && clock.nowMs() - shared.atMs < SHARED_FOR_MS; shared = latest) {
        // Another's permission, and another's end: what failed for it may succeed for us.
        const header = await shared.header.catch(() => undefined);
        if (header && continues(position, header)) return header;
        if (shared === latest) break;
      }
      const header = currentHeader(client, prefix, options);
      latest = { header, atMs: clock.nowMs() };
      return header;
    },
  };
}

/**
 * The cluster's revision by a linearizable read, shared by all watches over one client: a process that watches twenty services
 * asks once, and not twenty times. For that they ask at the same moments; those of two processes differ by chance, so that a
 * thousand that were started together do not ask together.
 */
import type { Clock } from "../../../clock.js";
import type { Random } from "../../../random.js";
import type { EtcdCallOptions, EtcdClient } from "../client/client.js";
import { currentHeader } from "./history.js";
import { continues, type Position, type StoreHeader } from "./position.js";

// How long a stream may be deaf unnoticed, at most; with the time that a report and a list take, what it kept from us is known
// within 8 s. 1,000 processes ask for a revision 200 times a second then, a few percent of what one etcd answers.
const CHECK_EVERY_MS = 5_000;
// Short beside that, and long enough for all checks of one moment in a process that is busy.
const SHARED_FOR_MS = 1_000;

export interface ClusterRevision {
  /** How long it is to the next moment for a check, or to the first that is `notBeforeMs` off; default a second. */
  untilCheckMs(notBeforeMs?: number): number;
  /** The cluster's header, of this moment or a second ago; of this moment where the older would be behind `position`. */
  read(prefix: string, position: Position, options: EtcdCallOptions): Promise<StoreHeader>;
}

export function clusterRevision(client: EtcdClient, clock: Clock, random: Random): ClusterRevision {
  const firstMs = clock.nowMs() + random() * CHECK_EVERY_MS;
  let latest: { readonly header: Promise<StoreHeader>; readonly atMs: number } | undefined;

  return {
    untilCheckMs(notBeforeMs = SHARED_FOR_MS) {
      const nowMs = clock.nowMs();
      const intervals = Math.ceil((nowMs + notBeforeMs - firstMs) / CHECK_EVERY_MS);
      return firstMs + intervals * CHECK_EVERY_MS - nowMs;
    },
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

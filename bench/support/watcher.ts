/**
 * One watching process of the latency bench: `watcher.js bare|view <endpoint> <service>`. It tells its parent of each
 * revision and when it saw it; first of revision 0, when it watches.
 */
import { etcd } from "rollcall/etcd";
import { bareClient, watch } from "./bare-etcd.js";

export interface Seen {
  readonly revision: bigint;
  readonly atNs: bigint;
}

const [kind, endpoint = "", service = ""] = process.argv.slice(2);
if (kind === "bare") watchBare();
else watchView();

function watchBare(): void {
  watch(bareClient(endpoint), `/services/${service}/`, (response) => {
    tell(response.created ? 0n : (response.events.at(-1)?.kv?.modRevision ?? 0n));
  });
}

function watchView(): void {
  let live = false;
  etcd({ endpoints: [endpoint] })
    .instancer(service)
    .subscribe((membership) => {
      if (membership.state === "live") tell(live ? membership.revision : 0n);
      live ||= membership.state === "live";
    });
}

function tell(revision: bigint): void {
  const seen: Seen = { revision, atNs: process.hrtime.bigint() };
  process.send?.(seen);
}

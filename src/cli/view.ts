/** A view of a service as `watch` and `ls` print it. */
import type { Instance, Membership } from "../index.js";
import { json } from "./ndjson.js";
import { type Paint, table } from "./table.js";

/** `{"state","revision","instances","at"}`; while pending, nothing is known and the revision is null. */
export function viewJson(membership: Membership, at: Date): string {
  const { revision, instances } = membership.state === "pending" ? { revision: null, instances: [] } : membership;
  return json({ state: membership.state, revision, instances, at: at.toISOString() });
}

/** A headline, then a row for each instance. */
export function viewText(membership: Membership, service: string, at: Date, paint: Paint): string {
  const time = paint("dim", at.toLocaleTimeString("en-GB"));
  const state = paint(stateColour[membership.state], membership.state);
  if (membership.state === "pending") {
    const why = membership.error === undefined ? "" : ` (${membership.error.message})`;
    return `${time}  ${service}  ${state}: etcd has not been heard yet${why}`;
  }
  const { instances, revision } = membership;
  const count = instances.length === 1 ? "1 instance" : `${instances.length} instances`;
  const headline = `${time}  ${service}  ${state} at revision ${revision}: ${count}`;
  const rows = instances.length === 0 ? [] : table(header, instances.map(row), paint);
  return [headline, ...rows.map((line) => `  ${line}`)].join("\n");
}

const stateColour = { pending: "yellow", live: "green", stale: "red" } as const;

const header = ["ADDRESS", "WEIGHT", "ZONE", "VERSION", "METADATA", "KEY"];

function row({ id, address, weight, zone, version, draining, metadata = {} }: Instance): string[] {
  const said = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
  return [
    address,
    weight?.toString() ?? "",
    zone ?? "",
    version ?? "",
    [...(draining ? ["draining"] : []), ...said].join(" "),
    id,
  ];
}

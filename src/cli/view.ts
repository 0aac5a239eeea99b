/** A view of a service as `watch` and `ls` print it. */
import type { Instance, Membership } from "../index.js";
import { json } from "./ndjson.js";
import { type Paint, table } from "./table.js";

/**
 * `{"state","revision","instances","at"}`, `retained` where there are any, and `error` while something keeps etcd from being
 * heard; while pending, nothing is known and the revision is null.
 */
export function viewJson(membership: Membership, at: Date): string {
  const { state } = membership;
  const { revision, instances, retained } = state === "pending" ? NOTHING_KNOWN : membership;
  const lost = retained.length > 0 ? { retained } : {};
  const why = state !== "live" && membership.error ? { error: membership.error.message } : {};
  return json({ state, revision, instances, ...lost, ...why, at: at.toISOString() });
}

/** A headline, then a row for each instance. */
export function viewText(membership: Membership, service: string, at: Date, paint: Paint): string {
  const time = paint("dim", at.toLocaleTimeString("en-GB"));
  const state = paint(stateColour[membership.state], membership.state);
  if (membership.state === "pending") {
    const why = membership.error === undefined ? "" : ` (${membership.error.message})`;
    return `${time}  ${service}  ${state}: etcd has not been heard yet${why}`;
  }
  const { instances, retained, revision } = membership;
  const count = instances.length === 1 ? "1 instance" : `${instances.length} instances`;
  const lost = retained.length === 0 ? "" : `, ${retained.length} retained after a mass deletion`;
  const headline = `${time}  ${service}  ${state} at revision ${revision}: ${count}${lost}`;
  const shown = [
    ...instances.map((instance) => row(instance)),
    ...retained.map((instance) => row(instance, "retained")),
  ];
  const rows = shown.length === 0 ? [] : table(header, shown, paint);
  return [headline, ...rows.map((line) => `  ${line}`)].join("\n");
}

const NOTHING_KNOWN = { revision: null, instances: [], retained: [] };

const stateColour = { pending: "yellow", live: "green", stale: "red" } as const;

const header = ["ADDRESS", "WEIGHT", "ZONE", "VERSION", "METADATA", "KEY"];

function row({ id, address, weight, zone, version, draining, metadata = {} }: Instance, ...marks: string[]): string[] {
  const said = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
  return [
    address,
    weight?.toString() ?? "",
    zone ?? "",
    version ?? "",
    [...marks, ...(draining ? ["draining"] : []), ...said].join(" "),
    id,
  ];
}

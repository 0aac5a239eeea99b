/** What stood in etcd, worked out from what the auditor heard, and independently of the code under test. */
import type { Instance, Membership } from "rollcall";
import { type ClientRecord, type Life, PREFIX, type Stored } from "./recording.js";

/** An instance as one line: two that say the same are the same line. */
export type InstanceLine = string;

/**
 * The last revision up to which a life is known without a gap. Every revision of the run changes a key that the auditor hears
 * of, so a missing number is a missing event. What was written between the auditor's last event and a wipe is lost.
 */
export function knownUntil({ events }: Life): bigint {
  const revisions = new Set(events.map(({ modRevision }) => modRevision));
  let revision = 1n; // of a store in which nothing was written
  while (revisions.has(revision + 1n)) revision += 1n;
  return revision;
}

/** The keys at `revision`. */
export function stateAt({ events }: Life, revision: bigint): Map<string, Stored> {
  const state = new Map<string, Stored>();
  for (const { key, value, lease, modRevision } of events) {
    if (modRevision > revision) continue;
    if (value === undefined) state.delete(key);
    else state.set(key, { value, lease });
  }
  return state;
}

/** The instances of the service, sorted as a view has them. */
export function instancesIn(state: ReadonlyMap<string, Stored>): InstanceLine[] {
  return [...state]
    .filter(([key]) => key.startsWith(PREFIX))
    .flatMap(([key, { value }]) => lineOf(key, value) ?? [])
    .sort();
}

/** The instance that stands for `value` under `key`; nothing if it is garbage. */
export function lineOf(key: string, value: string): InstanceLine | undefined {
  if (/^[\d.]+:\d+$/.test(value)) return line(key, value, {});
  if (!value.startsWith("{")) return undefined;
  const { Addr, Metadata } = JSON.parse(value) as { Addr: string; Metadata: Record<string, string> }; // as servers write it
  return line(key, Addr, Metadata);
}

export function shownLine({ id, address, metadata = {}, ...others }: Instance): InstanceLine {
  return line(id, address, { ...metadata, ...others });
}

/** Who wrote a value, and after how many updates, by its own word. */
export function signatureOf(value: string): { readonly writer?: string; readonly update?: string } {
  if (!value.startsWith("{")) return {};
  return (JSON.parse(value) as { Metadata?: { writer?: string; update?: string } }).Metadata ?? {}; // as servers write it
}

/** A view that shows something: all but those that are pending. */
export type KnownView = Exclude<Membership, { state: "pending" }> & { readonly atMs: number };

export function knownViews({ views }: ClientRecord): KnownView[] {
  return views.flatMap(({ view, atMs }) => (view.state === "pending" ? [] : [{ ...view, atMs }]));
}

// The auditor hears of a revision within milliseconds. A view that claims to be further ahead of it has another reason.
const LOST_AT_MOST = 20n;

/** What a view says against what stood there; `unknowable` is what a wipe has taken from the auditor as well. */
export function judge(view: KnownView, life: Life, lives: readonly Life[]): "exact" | "wrong" | "unknowable" {
  const ahead = view.revision - knownUntil(life);
  if (ahead > 0n) return life === lives.at(-1) || ahead > LOST_AT_MOST ? "wrong" : "unknowable";
  const truth = instancesIn(stateAt(life, view.revision));
  const shown = view.instances.map(shownLine);
  return shown.length === truth.length && shown.every((line, index) => line === truth[index]) ? "exact" : "wrong";
}

function line(id: string, address: string, attributes: Readonly<Record<string, unknown>>): InstanceLine {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${id} ${address} ${JSON.stringify(Object.fromEntries(sorted))}`;
}

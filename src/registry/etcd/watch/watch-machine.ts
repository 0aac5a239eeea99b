/**
 * List and watch, as a state machine: what to do next so that a prefix is known exactly, whatever the registry does.
 *
 * Why a machine: every bug known in this field is a transition that somebody forgot (a watch that ended and was never
 * opened again, a compaction taken for an empty set, a resume point past events that never came). Here one pure function
 * holds them all; `watch.ts` carries out its effects, and a test holds the function to this table in both directions.
 *
 * | from       | on                   | to         | effects                         |
 * |------------|----------------------|------------|---------------------------------|
 * | idle       | start                | listing    | unheard, list                   |
 * | listing    | listed               | opening    | replace, unheard, open          |
 * | listing    | failed               | waiting    | retry                           |
 * | opening    | created              | watching   | heard                           |
 * | opening    | created (behind)     | confirming | fail-stream, confirm            |
 * | opening    | overdue              | waiting    | fail-stream, retry              |
 * | opening    | compacted            | waiting    | end-stream, retry               |
 * | opening    | refused              | waiting    | end-stream, retry               |
 * | opening    | ended                | waiting    | retry                           |
 * | watching   | changed              | watching   | apply                           |
 * | watching   | progress             | watching   |                                 |
 * | watching   | settled              | watching   |                                 |
 * | watching   | progress-due         | watching   | ask-progress                    |
 * | watching   | compacted            | waiting    | end-stream, unheard, retry      |
 * | watching   | refused              | waiting    | end-stream, unheard, retry      |
 * | watching   | ended                | waiting    | unheard, retry                  |
 * | confirming | confirmed            | opening    | open                            |
 * | confirming | confirmed (rebuilt)  | listing    | list                            |
 * | confirming | failed               | waiting    | retry                           |
 * | waiting    | retry                | listing    | list                            |
 * | waiting    | retry                | opening    | open                            |
 * | waiting    | retry                | confirming | confirm                         |
 * | listing    | silence              | listing    | stale                           |
 * | opening    | silence              | opening    | stale                           |
 * | confirming | silence              | confirming | stale                           |
 * | waiting    | silence              | waiting    | stale                           |
 * | idle       | close                | closed     | stop                            |
 * | listing    | close                | closed     | stop                            |
 * | opening    | close                | closed     | stop                            |
 * | watching   | close                | closed     | stop                            |
 * | confirming | close                | closed     | stop                            |
 * | waiting    | close                | closed     | stop                            |
 *
 * Everything not in the table changes nothing. What to know of the rows:
 * - The position moves with what was applied: a complete list, an event, a progress report that can be trusted. Never with
 *   the header of a created or data response, which tells the store's revision and not how far this watch has come.
 * - `behind`: the member's header is older than our position, or of another cluster. That is a member that lags, or a
 *   cluster that was rebuilt; a linearizable read decides. Lagging: another member. Rebuilt: list anew, in a new epoch.
 * - `refused` goes through a confirming read as well: where a permission is missing, that read says so again and again
 *   instead of a watch being opened and refused.
 * - `compacted` lists again, and the view changes by the difference only.
 * - `unheard` starts the time after which the view is called stale, `heard` ends it; neither touches what is known.
 */

import { type Change, continues, type Entry, epochAfter, type Position, type StoreHeader } from "./position.js";

/** `failures` counts what went wrong since a watch last settled; it sets the wait before the next try. */
interface Placed<Kind> {
  readonly kind: Kind;
  readonly position: Position;
  readonly failures: number;
}
type Opening = Placed<"opening">;
type Watching = Placed<"watching">;
type Confirming = Placed<"confirming">;
/** Without a position until the first list. */
type Listing = Omit<Placed<"listing">, "position"> & { readonly position?: Position };
interface Waiting {
  readonly kind: "waiting";
  readonly next: Listing | Opening | Confirming;
}

export type WatchState =
  | { readonly kind: "idle" }
  | Listing
  | Opening
  | Watching
  | Confirming
  | Waiting
  | { readonly kind: "closed" };

export type WatchEvent =
  | { readonly kind: "start" }
  | { readonly kind: "listed"; readonly header: StoreHeader; readonly entries: readonly Entry[] }
  /** A list or a confirming read did not succeed. */
  | { readonly kind: "failed" }
  | { readonly kind: "created"; readonly header: StoreHeader }
  /** The watch was asked for and nothing came back in time. */
  | { readonly kind: "overdue" }
  | { readonly kind: "changed"; readonly changes: readonly Change[] }
  /** From a member that is free of the known bugs; others are not reported here. */
  | { readonly kind: "progress"; readonly revision: bigint }
  | { readonly kind: "progress-due" }
  | { readonly kind: "compacted" }
  /** The member cancelled the watch for any other reason, permission among them. */
  | { readonly kind: "refused" }
  | { readonly kind: "ended" }
  /** The watch has lived for a while: whatever failed before is over. */
  | { readonly kind: "settled" }
  | { readonly kind: "confirmed"; readonly header: StoreHeader }
  | { readonly kind: "retry" }
  /** The time that `unheard` started is over. */
  | { readonly kind: "silence" }
  | { readonly kind: "close" };

export type WatchEffect =
  | { readonly kind: "list" | "confirm" | "end-stream" | "ask-progress" | "heard" | "unheard" | "stale" | "stop" }
  | { readonly kind: "open"; readonly startRevision: bigint }
  | { readonly kind: "fail-stream"; readonly reason: string }
  /** `retry` after a while, the longer the more failures there were. */
  | { readonly kind: "retry"; readonly failures: number }
  | { readonly kind: "replace"; readonly entries: readonly Entry[]; readonly position: Position }
  | { readonly kind: "apply"; readonly changes: readonly Change[]; readonly revision: bigint };

export interface WatchStep {
  readonly state: WatchState;
  readonly effects: readonly WatchEffect[];
}

export function transition(state: WatchState, event: WatchEvent): WatchStep {
  if (event.kind === "close") {
    return state.kind === "closed" ? unchanged(state) : { state: { kind: "closed" }, effects: [{ kind: "stop" }] };
  }
  switch (state.kind) {
    case "idle":
      return event.kind === "start" ? enter({ kind: "listing", failures: 0 }, { kind: "unheard" }) : unchanged(state);
    case "listing":
      return whileListing(state, event);
    case "opening":
      return whileOpening(state, event);
    case "watching":
      return whileWatching(state, event);
    case "confirming":
      return whileConfirming(state, event);
    case "waiting":
      if (event.kind === "retry") return enter(state.next);
      return event.kind === "silence" ? toldStale(state) : unchanged(state);
    case "closed":
      return unchanged(state);
  }
}

function whileListing(state: Listing, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "listed": {
      const position = { ...event.header, epoch: epochAfter(state.position, event.header) };
      return enter(
        { kind: "opening", position, failures: state.failures },
        { kind: "replace", entries: event.entries, position },
        { kind: "unheard" },
      );
    }
    case "failed":
      return waitFor(state);
    case "silence":
      return toldStale(state);
    default:
      return unchanged(state);
  }
}

function whileOpening(state: Opening, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "created":
      if (!continues(state.position, event.header)) {
        const reason = "it is behind what was read before, or of another cluster";
        return enter({ ...state, kind: "confirming" }, { kind: "fail-stream", reason });
      }
      return {
        state: { ...state, kind: "watching", position: { ...state.position, raftTerm: event.header.raftTerm } },
        effects: [{ kind: "heard" }],
      };
    case "overdue":
      return waitFor(state, { kind: "fail-stream", reason: "it did not answer the request for a watch" });
    case "compacted":
      return waitFor({ ...state, kind: "listing" }, { kind: "end-stream" });
    case "refused":
      return waitFor({ ...state, kind: "confirming" }, { kind: "end-stream" });
    case "ended":
      return waitFor(state);
    case "silence":
      return toldStale(state);
    default:
      return unchanged(state);
  }
}

function whileWatching(state: Watching, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "changed": {
      const revision = event.changes.at(-1)?.modRevision ?? state.position.revision;
      return {
        state: { ...state, position: { ...state.position, revision } },
        effects: [{ kind: "apply", changes: event.changes, revision }],
      };
    }
    case "progress":
      return event.revision > state.position.revision
        ? { state: { ...state, position: { ...state.position, revision: event.revision } }, effects: [] }
        : unchanged(state);
    case "progress-due":
      return { state, effects: [{ kind: "ask-progress" }] };
    case "compacted":
      return waitFor({ ...state, kind: "listing" }, { kind: "end-stream" }, { kind: "unheard" });
    case "refused":
      return waitFor({ ...state, kind: "confirming" }, { kind: "end-stream" }, { kind: "unheard" });
    case "ended":
      return waitFor({ ...state, kind: "opening" }, { kind: "unheard" });
    case "settled":
      return { state: { ...state, failures: 0 }, effects: [] };
    default:
      return unchanged(state);
  }
}

function whileConfirming(state: Confirming, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "confirmed":
      return enter({ ...state, kind: continues(state.position, event.header) ? "opening" : "listing" });
    case "failed":
      return waitFor(state);
    case "silence":
      return toldStale(state);
    default:
      return unchanged(state);
  }
}

/** Goes to a state that begins with something to do, and does it after `before`. */
function enter(state: Listing | Opening | Confirming, ...before: WatchEffect[]): WatchStep {
  switch (state.kind) {
    case "listing":
      return { state, effects: [...before, { kind: "list" }] };
    case "opening":
      return { state, effects: [...before, { kind: "open", startRevision: state.position.revision + 1n }] };
    case "confirming":
      return { state, effects: [...before, { kind: "confirm" }] };
  }
}

function waitFor(next: Listing | Opening | Confirming, ...before: WatchEffect[]): WatchStep {
  const failures = next.failures + 1;
  return { state: { kind: "waiting", next: { ...next, failures } }, effects: [...before, { kind: "retry", failures }] };
}

function toldStale(state: WatchState): WatchStep {
  return { state, effects: [{ kind: "stale" }] };
}

function unchanged(state: WatchState): WatchStep {
  return { state, effects: [] };
}

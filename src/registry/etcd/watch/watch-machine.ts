/**
 * List and watch, as a state machine: what to do next so that a prefix is known exactly, whatever the registry does.
 *
 * Why a machine: every bug known in this field is a transition that somebody forgot (a watch that ended and was never
 * opened again, a compaction taken for an empty set, a resume point past events that never came). Here one pure function
 * holds them all; `watch.ts` carries out its effects, and a test holds the function to this table in both directions.
 *
 * | from       | on                  | to         | effects                     |
 * |------------|---------------------|------------|-----------------------------|
 * | idle       | start               | listing    | unheard, list               |
 * | listing    | listed              | opening    | replace, unheard, open      |
 * | listing    | failed              | waiting    | retry                       |
 * | opening    | created             | watching   | heard, check-later          |
 * | opening    | created (behind)    | waiting    | fail-stream, retry          |
 * | opening    | created (nameless)  | watching   | check                       |
 * | opening    | overdue             | waiting    | fail-stream, retry          |
 * | opening    | compacted           | waiting    | end-stream, retry           |
 * | opening    | refused             | waiting    | end-stream, retry           |
 * | opening    | ended               | waiting    | retry                       |
 * | watching   | changed             | watching   | apply                       |
 * | watching   | progress            | watching   |                             |
 * | watching   | settled             | watching   |                             |
 * | watching   | check-due           | watching   | check                       |
 * | watching   | checked             | watching   | heard, check-later          |
 * | watching   | checked (ahead)     | doubting   | ask-progress                |
 * | watching   | checked (rebuilt)   | listing    | end-stream, unheard, list   |
 * | watching   | unchecked           | watching   | unheard, check-later        |
 * | watching   | compacted           | waiting    | end-stream, unheard, retry  |
 * | watching   | refused             | waiting    | end-stream, unheard, retry  |
 * | watching   | ended               | waiting    | unheard, retry              |
 * | doubting   | changed             | watching   | apply, heard, check-later   |
 * | doubting   | progress            | watching   | heard, check-later          |
 * | doubting   | progress            | doubting   |                             |
 * | doubting   | settled             | doubting   |                             |
 * | doubting   | unproven            | doubting   | compare                     |
 * | doubting   | compared            | watching   | heard, check-later          |
 * | doubting   | compared            | watching   | heard, check-rarely         |
 * | doubting   | compared (deaf)     | waiting    | fail-stream, unheard, retry |
 * | doubting   | unchecked           | watching   | unheard, check-later        |
 * | doubting   | compacted           | waiting    | end-stream, unheard, retry  |
 * | doubting   | refused             | waiting    | end-stream, unheard, retry  |
 * | doubting   | ended               | waiting    | unheard, retry              |
 * | confirming | confirmed           | opening    | open                        |
 * | confirming | confirmed (rebuilt) | listing    | list                        |
 * | confirming | compacted           | listing    | list                        |
 * | confirming | failed              | waiting    | retry                       |
 * | waiting    | retry               | listing    | list                        |
 * | waiting    | retry               | confirming | confirm                     |
 * | listing    | silence             | listing    | stale                       |
 * | opening    | silence             | opening    | stale                       |
 * | watching   | silence             | watching   | stale                       |
 * | doubting   | silence             | doubting   | stale                       |
 * | confirming | silence             | confirming | stale                       |
 * | waiting    | silence             | waiting    | stale                       |
 * | idle       | close               | closed     | stop                        |
 * | listing    | close               | closed     | stop                        |
 * | opening    | close               | closed     | stop                        |
 * | watching   | close               | closed     | stop                        |
 * | doubting   | close               | closed     | stop                        |
 * | confirming | close               | closed     | stop                        |
 * | waiting    | close               | closed     | stop                        |
 *
 * Everything not in the table changes nothing. What to know of the rows:
 * - The position moves with what was applied: a complete list, an event, a progress report that can be trusted. Never with
 *   the header of a created or data response, which tells the store's revision and not how far this watch has come.
 * - Before a watch is opened again, a linearizable read confirms that the cluster is still the one that was listed: revision
 *   and term not below ours, and at our revision what the view holds. If not, it was rebuilt meanwhile: list anew, in a new
 *   epoch (docs/decisions/0015). Where a permission is missing, that read says so, and no watch is opened to be refused.
 * - `behind`: the member's header is older than our position, or of another cluster: a member that lags, or a cluster that was
 *   rebuilt. Confirm, and then another member; after a pause, since one address may stand for all of them.
 * - `nameless`: the answer says nothing of its store, and so proves nothing: the check for an open stream comes at once.
 * - `compacted` lists again, and the view changes by the difference only. No read but a list can then tell a rebuilt cluster.
 * - `overdue`: reads may be answered where watches are not, so each try begins with a list: the view is renewed, though stale.
 * - `unheard` starts the time after which the view is called stale, `heard` ends it; neither touches what is known.
 * - An open stream proves nothing (docs/decisions/0013). So the cluster's revision is read again and again, and one `ahead` of
 *   ours is owed by the stream, in events or a progress report. What is not told in time is compared: whether the prefix changed
 *   between the two. If it did, the stream is `deaf`, and a list says what it kept from us. If not, we are as far as that
 *   revision. A comparison reads the whole prefix, so it is made rarely where a stream gives no report (old etcd, a proxy).
 */
import { type Change, continues, epochAfter, namesItsStore, type Position } from "./position.js";
import type {
  Confirming,
  Doubting,
  Listing,
  Opening,
  Placed,
  WatchEffect,
  WatchEvent,
  Watching,
  WatchState,
  WatchStep,
} from "./watch-states.js";

export type { WatchEffect, WatchEvent, WatchState, WatchStep } from "./watch-states.js";

export function transition(state: WatchState, event: WatchEvent): WatchStep {
  if (state.kind === "closed") return unchanged(state);
  if (event.kind === "close") return { state: { kind: "closed" }, effects: [{ kind: "stop" }] };
  if (event.kind === "silence" && state.kind !== "idle") return { state, effects: [{ kind: "stale" }] };
  switch (state.kind) {
    case "idle":
      return event.kind === "start" ? enter({ kind: "listing", failures: 0 }, { kind: "unheard" }) : unchanged(state);
    case "listing":
      return whileListing(state, event);
    case "opening":
      return whileOpening(state, event);
    case "watching":
      return whileWatching(state, event);
    case "doubting":
      return whileDoubting(state, event);
    case "confirming":
      return whileConfirming(state, event);
    case "waiting":
      return event.kind === "retry" ? enter(state.next) : unchanged(state);
  }
}

function whileListing(state: Listing, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "listed": {
      const rebuilt = state.rebuilt === true || event.rebuilt;
      const position = { ...event.header, epoch: epochAfter(state.position, event.header, rebuilt) };
      return enter(
        { kind: "opening", position, failures: state.failures },
        { kind: "replace", entries: event.entries, position },
        { kind: "unheard" },
      );
    }
    case "failed":
      return waitFor(state);
    default:
      return unchanged(state);
  }
}

function whileOpening(state: Opening, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "created":
      if (!namesItsStore(event.header)) {
        return { state: watching({ ...state, reports: false }), effects: [{ kind: "check", since: state.position }] };
      }
      if (!continues(state.position, event.header)) {
        const reason = "it is behind what was read before, or of another cluster";
        return waitFor(placed("confirming", state), { kind: "fail-stream", reason });
      }
      return fresh(watching({ ...state, reports: false }, { raftTerm: event.header.raftTerm }));
    case "overdue":
      return waitFor(placed("listing", state), { kind: "fail-stream", reason: "it did not answer the request" });
    case "compacted":
      return waitFor(placed("listing", state), { kind: "end-stream" });
    case "refused":
      return waitFor(placed("confirming", state), { kind: "end-stream" });
    case "ended":
      return waitFor(placed("confirming", state));
    default:
      return unchanged(state);
  }
}

function whileWatching(state: Watching, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "changed": {
      const after = watchingAfter(event.changes, state);
      return { state: after, effects: [applied(event.changes, after)] };
    }
    case "progress":
      return { state: reported(state, event.revision), effects: [] };
    case "check-due":
      return { state, effects: [{ kind: "check", since: state.position }] };
    case "checked": {
      if (!continues(event.since, event.header)) {
        return enter({ ...placed("listing", state), rebuilt: true }, { kind: "end-stream" }, { kind: "unheard" });
      }
      const { raftTerm, revision } = event.header;
      const checked = watching(state, { raftTerm });
      if (revision <= state.position.revision) return fresh(checked);
      return {
        state: { ...checked, kind: "doubting", since: state.position.revision, owed: revision },
        effects: [{ kind: "ask-progress" }],
      };
    }
    case "unchecked":
      return { state, effects: [{ kind: "unheard" }, { kind: "check-later" }] };
    default:
      return whileStreaming(state, event);
  }
}

function whileDoubting(state: Doubting, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "changed": {
      const after = watchingAfter(event.changes, state);
      return fresh(after, applied(event.changes, after));
    }
    case "progress": {
      const after = reported(state, event.revision);
      return after.position.revision >= state.owed ? fresh(watching(after)) : { state: after, effects: [] };
    }
    case "unproven":
      return { state, effects: [{ kind: "compare", since: state.since, owed: state.owed }] };
    case "compared":
      if (event.since !== state.since || event.owed !== state.owed) return unchanged(state);
      if (!event.same) {
        const reason = `it did not tell of a change up to revision ${state.owed}`;
        return waitFor(placed("listing", state), { kind: "fail-stream", reason }, { kind: "unheard" });
      }
      return {
        state: watching(state, { revision: state.owed }),
        effects: [{ kind: "heard" }, { kind: state.reports ? "check-later" : "check-rarely" }],
      };
    case "unchecked":
      return { state: watching(state), effects: [{ kind: "unheard" }, { kind: "check-later" }] };
    default:
      return whileStreaming(state, event);
  }
}

/** The ends of a stream that was open, and its coming of age. */
function whileStreaming(state: Watching | Doubting, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "compacted":
      return waitFor(placed("listing", state), { kind: "end-stream" }, { kind: "unheard" });
    case "refused":
      return waitFor(placed("confirming", state), { kind: "end-stream" }, { kind: "unheard" });
    case "ended":
      return waitFor(placed("confirming", state), { kind: "unheard" });
    case "settled":
      return { state: { ...state, failures: 0 }, effects: [] };
    default:
      return unchanged(state);
  }
}

function whileConfirming(state: Confirming, event: WatchEvent): WatchStep {
  switch (event.kind) {
    case "confirmed":
      if (event.same && continues(state.position, event.header)) return enter(placed("opening", state));
      return enter({ ...placed("listing", state), rebuilt: true });
    case "compacted":
      return enter(placed("listing", state));
    case "failed":
      return waitFor(state);
    default:
      return unchanged(state);
  }
}

function placed<Kind>(kind: Kind, { position, failures }: Placed<unknown>): Placed<Kind> {
  return { kind, position, failures };
}

function watching({ position, failures, reports }: Omit<Watching, "kind">, moved: Partial<Position> = {}): Watching {
  return { kind: "watching", position: { ...position, ...moved }, failures, reports };
}

/** Where a watch stands after `changes`. `watch.ts` takes the row `watching, changed` by itself, since nearly every event is one. */
export function watchingAfter(
  changes: readonly Change[],
  { position, failures, reports }: Watching | Doubting,
): Watching {
  const { clusterId, raftTerm, epoch } = position;
  const revision = changes[changes.length - 1]?.modRevision ?? position.revision;
  // Written out: a spread is 7 µs in a process that was idle.
  return { kind: "watching", position: { clusterId, raftTerm, revision, epoch }, failures, reports };
}

function applied(changes: readonly Change[], { position }: Watching): WatchEffect {
  return { kind: "apply", changes, revision: position.revision };
}

function reported<State extends Watching | Doubting>(state: State, revision: bigint): State {
  if (revision <= state.position.revision) return { ...state, reports: true };
  return { ...state, reports: true, position: { ...state.position, revision } };
}

/** The watch has just been proven to miss nothing. */
function fresh(state: Watching, ...before: readonly WatchEffect[]): WatchStep {
  return { state, effects: [...before, { kind: "heard" }, { kind: "check-later" }] };
}

/** Goes to a state that begins with something to do, and does it after `before`. */
function enter(state: Listing | Opening | Confirming, ...before: WatchEffect[]): WatchStep {
  switch (state.kind) {
    case "listing":
      return { state, effects: [...before, { kind: "list" }] };
    case "opening":
      return { state, effects: [...before, { kind: "open", startRevision: state.position.revision + 1n }] };
    case "confirming":
      return { state, effects: [...before, { kind: "confirm", revision: state.position.revision }] };
  }
}

function waitFor(next: Listing | Confirming, ...before: WatchEffect[]): WatchStep {
  const failures = next.failures + 1;
  return { state: { kind: "waiting", next: { ...next, failures } }, effects: [...before, { kind: "retry", failures }] };
}

function unchanged(state: WatchState): WatchStep {
  return { state, effects: [] };
}

/**
 * What the watch machine can be in, hear and ask for. The way from one to the other is drawn in `watch-machine.ts`.
 */
import type { Change, Entry, Position, StoreHeader } from "./position.js";

/** `failures` counts what went wrong since a watch last settled; it sets the wait before the next try. */
export interface Placed<Kind> {
  readonly kind: Kind;
  readonly position: Position;
  readonly failures: number;
}
export type Opening = Placed<"opening">;
/** `reports`: whether the stream has given a progress report that can be trusted. */
export interface Watching extends Placed<"watching"> {
  readonly reports: boolean;
}
/** What it owes: everything up to revision `owed`; nothing came since `since`. */
export interface Doubting extends Omit<Watching, "kind"> {
  readonly kind: "doubting";
  readonly since: bigint;
  readonly owed: bigint;
}
export type Confirming = Placed<"confirming">;
/** Without a position until the first list. */
export type Listing = Omit<Placed<"listing">, "position"> & {
  readonly position?: Position;
  /** The cluster is known to have another history than that of `position`. */
  readonly rebuilt?: boolean;
};
export interface Waiting {
  readonly kind: "waiting";
  readonly next: Listing | Confirming;
}

export type WatchState =
  | { readonly kind: "idle" }
  | Listing
  | Opening
  | Watching
  | Doubting
  | Confirming
  | Waiting
  | { readonly kind: "closed" };

export type WatchEvent =
  | { readonly kind: "start" }
  /** `rebuilt`: some of the entries would be known if the history were the same. */
  | {
      readonly kind: "listed";
      readonly header: StoreHeader;
      readonly entries: readonly Entry[];
      readonly rebuilt: boolean;
    }
  /** A list or a confirming read did not succeed. */
  | { readonly kind: "failed" }
  | { readonly kind: "created"; readonly header: StoreHeader }
  /** The watch was asked for and nothing came back in time. */
  | { readonly kind: "overdue" }
  | { readonly kind: "changed"; readonly changes: readonly Change[] }
  /** From a member that is free of the known bugs; others are not reported here. */
  | { readonly kind: "progress"; readonly revision: bigint }
  | { readonly kind: "check-due" }
  /** The cluster's revision, read after the watch had come to `since`. */
  | { readonly kind: "checked"; readonly header: StoreHeader; readonly since: Position }
  /** The check could not be made: no member answered. */
  | { readonly kind: "unchecked" }
  /** The stream was asked for progress, and the time for its answer is over. */
  | { readonly kind: "unproven" }
  /** Whether the prefix is at `owed` what it was at `since`. */
  | { readonly kind: "compared"; readonly since: bigint; readonly owed: bigint; readonly same: boolean }
  | { readonly kind: "compacted" }
  /** The member cancelled the watch for any other reason, permission among them. */
  | { readonly kind: "refused" }
  | { readonly kind: "ended" }
  /** The watch has lived for a while: whatever failed before is over. */
  | { readonly kind: "settled" }
  /** Whether the cluster's history has what the view holds. */
  | { readonly kind: "confirmed"; readonly header: StoreHeader; readonly same: boolean }
  | { readonly kind: "retry" }
  /** The time that `unheard` started is over. */
  | { readonly kind: "silence" }
  | { readonly kind: "close" };

export type WatchEffect =
  | { readonly kind: "list" | "end-stream" | "heard" | "unheard" | "stale" | "stop" }
  /** `check-due` after a while; and after a longer one. */
  | { readonly kind: "check-later" | "check-rarely" }
  | { readonly kind: "check"; readonly since: Position }
  /** Asks for a progress report if it can be trusted, and then waits for `unproven` in any case. */
  | { readonly kind: "ask-progress" }
  | { readonly kind: "compare"; readonly since: bigint; readonly owed: bigint }
  /** A linearizable read of what was at `revision`. */
  | { readonly kind: "confirm"; readonly revision: bigint }
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

/**
 * Stands between a watch and its view when there is a folder for snapshots. It hands on what the watch reports, and beside
 * that keeps what is on the disk up to date, and shows it where the first list does not come.
 *
 * When it is shown: as soon as something stands in the way of the first list; never while a list is on its way in good
 * health, and never after one. A list that comes later is compared with it, so whoever is in both is not disturbed. A list
 * that comes at once is compared with it too, for the brake on mass deletion: a client that starts just after the registry lost
 * everybody would else believe it, and write it over what the disk remembers.
 *
 * When it is written: some time after a change, never more often than in ten seconds, and once a minute without one, because
 * a snapshot's age counts from when it was last known to be true. Not while the view retains lost instances: then the last
 * good view is the one from before, which the disk has.
 */
import type { Clock, Timer } from "../../../../clock.js";
import { RollcallError } from "../../../../errors.js";
import type { Membership } from "../../../../instance.js";
import type { Live } from "../../../../live.js";
import type { Held } from "../history.js";
import { type Change, continues, type Entry, type Position, type StoreHeader } from "../position.js";
import type { WatchObserver } from "../watch.js";
import type { SnapshotFolder, StoredSnapshot } from "./snapshot-folder.js";

// A deployment's burst of changes makes one file.
const SETTLE_MS = 1_000;
// With 10,000 instances that change all the time: a megabyte and some ten milliseconds of work each time.
const WRITE_EVERY_MS = 10_000;
const CONFIRM_EVERY_MS = 60_000;

/** The view behind it. */
export interface RememberingView extends WatchObserver {
  readonly membership: Live<Membership>;
  /** Shows as stale, until the first list, what was true at `sinceEpochMs`. */
  remembered(entries: readonly Entry[], revision: bigint, error: Error, sinceEpochMs: number): void;
  /** Holds the first list against what was true `agoMs` ago. */
  compared(before: readonly Entry[], agoMs: number): void;
}

export interface RememberedViewEnvironment {
  readonly clock: Clock;
  readonly snapshots: Pick<SnapshotFolder, "read" | "write">;
}

export class RememberedView implements WatchObserver {
  readonly #clock: Clock;
  readonly #folder: Pick<SnapshotFolder, "read" | "write">;
  readonly #prefix: string;
  readonly #view: RememberingView;
  readonly #entries = new Map<string, Entry>();
  /** Absent until the first list. */
  #header: StoreHeader | undefined;
  /** Set once the disk has answered; what it has is not replaced before. */
  #recalled = false;
  /** What the disk remembers, until it is shown or compared. */
  #snapshot: StoredSnapshot | undefined;
  /** What stands in the way of the first list. */
  #hindrance: Error | undefined;
  /** Where the snapshot that was shown stands; absent if none was. */
  #shown: Position | undefined;
  /** What the watch's epochs lack: it does not know of the snapshot. */
  #earlierEpochs = 0;
  #changed = false;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #writing = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor({ clock, snapshots }: RememberedViewEnvironment, prefix: string, view: RememberingView) {
    this.#clock = clock;
    this.#folder = snapshots;
    this.#prefix = prefix;
    this.#view = view;
    void snapshots.read(prefix).then((snapshot) => {
      this.#recalled = true;
      this.#snapshot = snapshot;
      if (!this.#closed) this.#use();
    });
  }

  held(revision: bigint): Held {
    return this.#view.held(revision);
  }

  isContradictedBy(entries: readonly Entry[]): boolean {
    return this.#view.isContradictedBy(entries);
  }

  replaced(entries: readonly Entry[], position: Position): void {
    if (this.#header === undefined && this.#shown) {
      const isSame = continues(this.#shown, position) && !this.#view.isContradictedBy(entries);
      this.#earlierEpochs = isSame ? 0 : 1;
    }
    this.#header = position;
    this.#view.replaced(entries, { ...position, epoch: position.epoch + this.#earlierEpochs });
    this.#entries.clear();
    for (const entry of entries) this.#entries.set(entry.key, entry);
    this.#use();
    this.#hasChanged();
  }

  changed(changes: readonly Change[], revision: bigint): void {
    this.#view.changed(changes, revision);
    for (const { key, value, modRevision, lease = 0n } of changes) {
      if (value) this.#entries.set(key, { key, value, modRevision, lease });
      else this.#entries.delete(key);
    }
    if (this.#header) this.#header = { ...this.#header, revision };
    this.#hasChanged();
  }

  heard(): void {
    this.#view.heard();
  }

  hindered(error: Error): void {
    this.#view.hindered(error);
    this.#hindrance = error;
    this.#use();
  }

  silent(error: Error): void {
    this.#view.silent(error);
  }

  /** Writes what is known at last, before the view is closed; `SnapshotFolder.settled` tells when it is done. */
  close(): void {
    this.#timer?.cancel();
    this.#writing = false;
    this.#write();
    this.#closed = true;
  }

  /** Once: shows what the disk remembers where the first list does not come, or compares the list with it. */
  #use(): void {
    const snapshot = this.#snapshot;
    if (!snapshot || (!this.#header && !this.#hindrance)) return;
    this.#snapshot = undefined;
    if (this.#header)
      this.#view.compared(snapshot.entries, Math.max(0, this.#clock.epochMs() - snapshot.trueAtEpochMs));
    else if (this.#hindrance) this.#show(snapshot, this.#hindrance);
  }

  #show({ file, header, entries, trueAtEpochMs }: StoredSnapshot, cause: Error): void {
    this.#shown = { ...header, epoch: 0 };
    const sinceEpochMs = Math.min(trueAtEpochMs, this.#clock.epochMs());
    const from = `from the snapshot ${file} of ${new Date(sinceEpochMs).toISOString()}`;
    const error = new RollcallError("REGISTRY_UNAVAILABLE", `${from}: ${cause.message}`, { cause });
    this.#view.remembered(entries, header.revision, error, sinceEpochMs);
  }

  /** On the way of every change: it starts a timer when there is none for a change yet, and does nothing else. */
  #hasChanged(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.#schedule();
  }

  #schedule(): void {
    this.#timer?.cancel();
    const nowMs = this.#clock.nowMs();
    const dueMs = this.#changed
      ? Math.max(nowMs + SETTLE_MS, this.#writtenMs + WRITE_EVERY_MS)
      : this.#writtenMs + CONFIRM_EVERY_MS;
    this.#timer = this.#clock.after(dueMs - nowMs, () => {
      this.#write();
      this.#schedule();
    });
  }

  #write(): void {
    const view = this.#view.membership.current;
    this.#writtenMs = this.#clock.nowMs();
    if (this.#writing || this.#closed || !this.#recalled) return;
    if (this.#header === undefined || view.state === "pending") return;
    const nothingNew = !this.#changed && view.state === "stale";
    if (nothingNew || view.retained.length > 0) return;
    this.#changed = false;
    this.#writing = true; // a disk that hangs must not pile them up
    const written = this.#folder.write({
      prefix: this.#prefix,
      header: this.#header,
      entries: [...this.#entries.values()],
      trueAtEpochMs: view.state === "live" ? this.#clock.epochMs() : view.sinceEpochMs,
    });
    void written.then(() => {
      this.#writing = false;
    });
  }
}

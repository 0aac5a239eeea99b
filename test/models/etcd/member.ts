/** One member of the model: a replica of the store that follows the log of the cluster, or lags behind it. */

import { singleKey } from "../../../src/embedded/key-range.js";
import { type Commit, RevisionStore } from "../../../src/embedded/revision-store.js";

export type LogEntry = { readonly commit: Commit } | { readonly compact: bigint };

/** A stream as its member sees it. */
export interface MemberStream {
  /** The connection is cut: what is under way is lost. */
  cut(reason: string): void;
  /** It can no longer be reached, or can be again. */
  reachableAgain(): void;
  unreachable(): void;
}

export class ModelMember {
  readonly name: string;
  readonly memberId: bigint;
  readonly streams = new Set<MemberStream>();
  /** `hung`: the process is stopped, and its connections stay open. */
  #standing: "up" | "hung" | "down" = "up";
  #lags = false;
  #log: readonly LogEntry[] = [];
  #applied = 0;
  #replica = new RevisionStore();

  constructor(name: string, memberId: bigint) {
    this.name = name;
    this.memberId = memberId;
  }

  get standing(): "up" | "hung" | "down" {
    return this.#standing;
  }

  get replica(): RevisionStore {
    return this.#replica;
  }

  /** Begins with nothing, and follows `log` from its start. */
  begin(log: readonly LogEntry[]): void {
    this.#replica = new RevisionStore();
    this.#log = log;
    this.#applied = 0;
    this.#lags = false;
    this.follow();
  }

  follow(): void {
    if (this.#standing !== "up" || this.#lags) return;
    for (let entry = this.#log[this.#applied]; entry; entry = this.#log[this.#applied]) {
      this.#applied += 1;
      this.#apply(entry);
    }
  }

  lag(): void {
    this.#lags = true;
  }

  hang(): void {
    if (this.#standing !== "up") return;
    this.#standing = "hung";
    for (const stream of [...this.streams]) stream.unreachable();
  }

  stop(): void {
    if (this.#standing === "down") return;
    this.#standing = "down";
    this.cutStreams("connection refused");
  }

  /** It runs, and catches up. */
  restore(): void {
    this.#standing = "up";
    this.#lags = false;
    for (const stream of [...this.streams]) stream.reachableAgain();
    this.follow();
  }

  cutStreams(reason: string): void {
    for (const stream of [...this.streams]) stream.cut(reason);
  }

  #apply(entry: LogEntry): void {
    if ("compact" in entry) {
      this.#replica.compact(entry.compact);
      return;
    }
    this.#replica.write((view) => {
      for (const { key, kind, keyValue } of entry.commit.changes) {
        if (kind === "put") view.put(keyValue.key, keyValue.value, keyValue.lease);
        else view.deleteRange(singleKey(key));
      }
    });
  }
}

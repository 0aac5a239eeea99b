import type { Commit } from "../../../src/embedded/revision-store.js";

export interface Stored {
  readonly value: Uint8Array;
  readonly lease: bigint;
}

export type Contents = ReadonlyMap<string, Stored>;

/** Everything that one life of a cluster ever held, revision by revision; no compaction reaches it. */
export class History {
  readonly clusterId: bigint;
  readonly commits: Commit[] = [];
  /** The contents at each revision; an empty store is at revision 1. */
  readonly #contents: Contents[] = [new Map(), new Map()];

  constructor(clusterId: bigint) {
    this.clusterId = clusterId;
  }

  get revision(): bigint {
    return BigInt(this.#contents.length - 1);
  }

  get now(): Contents {
    return this.#contents.at(-1) ?? new Map();
  }

  at(revision: bigint): Contents | undefined {
    return this.#contents[Number(revision)];
  }

  add(commit: Commit): void {
    this.commits.push(commit);
    const contents = new Map(this.now);
    for (const { key, kind, keyValue } of commit.changes) {
      if (kind === "put") contents.set(key, { value: keyValue.value, lease: keyValue.lease });
      else contents.delete(key);
    }
    this.#contents.push(contents);
  }
}

/**
 * Keys with their history, as etcd's mvcc keeps it: every write makes one revision of the whole store, any revision since
 * the last compaction can be read again, and what each one changed can be replayed to a watch.
 *
 * It knows nothing of leases or streams: those observe its commits. A commit is told before anything else can happen, so
 * that no answer shows a state between two revisions.
 */
import { create } from "@bufbuild/protobuf";
import { type KeyValue, KeyValueSchema } from "../registry/etcd/proto/etcd_pb.js";
import { EtcdError } from "./errors.js";
import { KeyHistory } from "./key-history.js";
import { type KeyRange, keyString } from "./key-range.js";
import { OrderedMap } from "./ordered-map.js";

/** What happened to one key in a revision. */
export interface Change {
  readonly key: string;
  readonly kind: "put" | "delete";
  /** After a deletion only the key and the revision of the deletion are set. */
  readonly keyValue: KeyValue;
  /** The key just before this revision; absent when it did not exist. */
  readonly previous: KeyValue | undefined;
}

/** All changes of one revision. */
export interface Commit {
  readonly revision: bigint;
  readonly changes: readonly Change[];
}

/** A state of the store to read from. */
export interface ReadView {
  /** What a read that names no revision sees. */
  readonly revision: bigint;
  /** The live keys of `range` in key order, now or at an earlier revision; throws when that is compacted or in the future. */
  read(range: KeyRange, atRevision?: bigint): KeyValue[];
}

/** A write in progress; what it does becomes one revision. It reads its own writes. */
export interface WriteView extends ReadView {
  put(key: Uint8Array, value: Uint8Array, lease: bigint): void;
  /** How many keys there were to delete. */
  deleteRange(range: KeyRange): number;
}

// etcd's own first revision: an empty store was written once.
const FIRST_REVISION = 1n;
// Lower than any revision that can be asked for, 0 included, which etcd lets one compact once.
const NEVER_COMPACTED = -1n;

export class RevisionStore implements ReadView {
  readonly #keys = new OrderedMap<KeyHistory>();
  readonly #observers = new Set<(commit: Commit) => void>();
  #revision = FIRST_REVISION;
  #compacted = NEVER_COMPACTED;
  /** One commit per revision, without gaps, the last being the current revision. */
  #commits: Commit[] = [];

  get revision(): bigint {
    return this.#revision;
  }

  /** The revision of the last compaction: nothing older can be read or watched. */
  get compactedRevision(): bigint {
    return this.#compacted;
  }

  get sizeBytes(): number {
    let size = 0;
    for (const history of this.#keys.values()) size += history.sizeBytes;
    return size;
  }

  read(range: KeyRange, atRevision = 0n): KeyValue[] {
    return this.#read(range, atRevision, this.#revision);
  }

  /** Runs `body` as one revision; one that changes nothing makes none. Refuse before the first write: a write in progress cannot be undone. */
  write<T>(body: (view: WriteView) => T): T {
    const revision = this.#revision + 1n;
    const changes: Change[] = [];
    const seenRevision = () => (changes.length > 0 ? revision : this.#revision);
    const result = body({
      get revision() {
        return seenRevision();
      },
      read: (range, atRevision = 0n) => this.#read(range, atRevision, seenRevision()),
      put: (key, value, lease) => void changes.push(this.#put(key, value, lease, revision)),
      deleteRange: (range) => {
        const deleted = this.#read(range, 0n, seenRevision()).map((keyValue) => this.#delete(keyValue, revision));
        changes.push(...deleted);
        return deleted.length;
      },
    });
    if (changes.length > 0) this.#commit({ revision, changes });
    return result;
  }

  /** The commits from `revision` on, oldest first; `revision` must not be below the compacted one. */
  *commitsFrom(revision: bigint): Generator<Commit> {
    const oldest = this.#revision - BigInt(this.#commits.length) + 1n;
    for (let index = Number(revision > oldest ? revision - oldest : 0n); index < this.#commits.length; index += 1) {
      yield this.#commits[index] as Commit; // the index is below the length
    }
  }

  /** Forgets every version that no read at `revision` or later needs. */
  compact(revision: bigint): void {
    if (revision <= this.#compacted) throw new EtcdError("compacted");
    if (revision > this.#revision) throw new EtcdError("futureRevision");
    this.#compacted = revision;
    this.#keys.retain((history) => history.compact(revision));
    this.#commits = this.#commits.filter((commit) => commit.revision >= revision);
  }

  /** Tells every later commit, in order, before `write` returns. */
  observe(observer: (commit: Commit) => void): Disposable {
    this.#observers.add(observer);
    return { [Symbol.dispose]: () => void this.#observers.delete(observer) };
  }

  #read(range: KeyRange, atRevision: bigint, newest: bigint): KeyValue[] {
    if (atRevision > newest) throw new EtcdError("futureRevision");
    const revision = atRevision > 0n ? atRevision : newest;
    if (revision < this.#compacted) throw new EtcdError("compacted");
    const found: KeyValue[] = [];
    for (const history of this.#keys.range(range)) {
      const keyValue = history.at(revision);
      if (keyValue) found.push(keyValue);
    }
    return found;
  }

  #put(bytes: Uint8Array, value: Uint8Array, lease: bigint, revision: bigint): Change {
    const key = keyString(bytes);
    const history = this.#keys.get(key) ?? new KeyHistory();
    const previous = history.at(revision);
    const keyValue = create(KeyValueSchema, {
      key: bytes,
      value,
      lease,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0n) + 1n,
    });
    history.put(keyValue);
    this.#keys.set(key, history);
    return { key, kind: "put", keyValue, previous };
  }

  #delete(previous: KeyValue, revision: bigint): Change {
    const key = keyString(previous.key);
    this.#keys.get(key)?.delete(revision);
    return {
      key,
      kind: "delete",
      keyValue: create(KeyValueSchema, { key: previous.key, modRevision: revision }),
      previous,
    };
  }

  #commit(commit: Commit): void {
    this.#revision = commit.revision;
    this.#commits.push(commit);
    for (const observer of [...this.#observers]) observer(commit);
  }
}

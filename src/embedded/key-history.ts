import type { KeyValue } from "../registry/etcd/proto/etcd_pb.js";

interface Version {
  readonly revision: bigint;
  /** Absent where the key was deleted. */
  readonly keyValue?: KeyValue;
}

/** Every version of one key since the last compaction, oldest first. */
export class KeyHistory {
  #versions: Version[] = [];

  /** The key as it was at `revision`: absent when it did not exist then. */
  at(revision: bigint): KeyValue | undefined {
    // Nearly every read is of the newest version.
    for (let index = this.#versions.length - 1; index >= 0; index -= 1) {
      const version = this.#versions[index];
      if (version && version.revision <= revision) return version.keyValue;
    }
    return undefined;
  }

  put(keyValue: KeyValue): void {
    this.#versions.push({ revision: keyValue.modRevision, keyValue });
  }

  delete(revision: bigint): void {
    this.#versions.push({ revision });
  }

  /** Forgets what no read at `revision` or later can see. Tells whether anything is left. */
  compact(revision: bigint): boolean {
    let oldest = this.#versions.findLastIndex((version) => version.revision <= revision);
    if (oldest >= 0 && this.#versions[oldest]?.keyValue === undefined) oldest += 1;
    if (oldest > 0) this.#versions = this.#versions.slice(oldest);
    return this.#versions.length > 0;
  }

  /** Bytes of keys and values held. */
  get sizeBytes(): number {
    let size = 0;
    for (const { keyValue } of this.#versions) size += keyValue ? keyValue.key.length + keyValue.value.length : 0;
    return size;
  }
}

/**
 * Forgets old revisions by itself, as etcd does with `--auto-compaction-mode=revision`: a registry that runs for days must
 * not keep every value that a key ever had.
 *
 * Compacting reads every key, so it waits until there are twice as many revisions as are kept: spread over the writes, a
 * key is then looked at once in `kept` revisions.
 */
import type { RevisionStore } from "./revision-store.js";

/** Keeps the last `kept` revisions of `store`, and at most twice as many. */
export function autoCompact(store: RevisionStore, kept: number): void {
  const keptRevisions = BigInt(kept);
  let next = 2n * keptRevisions;
  store.observe(({ revision }) => {
    if (revision <= next) return;
    const compacted = revision - keptRevisions;
    if (compacted > store.compactedRevision) store.compact(compacted); // unless a client was there first
    next = revision + keptRevisions;
  });
}

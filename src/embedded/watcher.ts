/** One watch: which keys it follows, and what it has yet to be told. */
import { create } from "@bufbuild/protobuf";
import {
  type Event,
  EventSchema,
  Event_EventType as EventType,
  WatchCreateRequest_FilterType as FilterType,
  type WatchCreateRequest,
} from "../registry/etcd/proto/etcd_pb.js";
import { contains, type KeyRange, keyRange } from "./key-range.js";
import type { Change, RevisionStore } from "./revision-store.js";

/** How many revisions go into one response when a watch catches up: etcd's watchBatchMaxRevs. */
const MAX_BATCH_REVISIONS = 1_000;
// An absent key means the lowest one.
const LOWEST_KEY = new Uint8Array(1);

export class Watcher {
  readonly id: bigint;
  readonly progressNotify: boolean;
  readonly fragment: boolean;
  readonly #range: KeyRange;
  readonly #prevKv: boolean;
  readonly #filters: readonly FilterType[];
  /** The first revision that it has not been told. */
  #next: bigint;

  constructor(id: bigint, request: WatchCreateRequest, currentRevision: bigint) {
    this.id = id;
    this.progressNotify = request.progressNotify;
    this.fragment = request.fragment;
    this.#range = watchedRange(request);
    this.#prevKv = request.prevKv;
    this.#filters = request.filters;
    this.#next = request.startRevision === 0n ? currentRevision + 1n : request.startRevision;
  }

  isBehind(store: RevisionStore): boolean {
    return this.#next <= store.revision;
  }

  isCompacted(store: RevisionStore): boolean {
    return this.#next < store.compactedRevision;
  }

  /** The events of the next batch, whole revisions only; none when nothing that it follows has changed. */
  take(store: RevisionStore): Event[] {
    const events: Event[] = [];
    let revisions = 0;
    let next = store.revision + 1n;
    for (const { revision, changes } of store.commitsFrom(this.#next)) {
      const seen = changes.filter((change) => this.#follows(change));
      if (seen.length > 0) revisions += 1;
      if (revisions > MAX_BATCH_REVISIONS) {
        next = revision;
        break;
      }
      for (const change of seen) events.push(this.#event(change, store));
    }
    this.#next = next;
    return events;
  }

  #follows({ key, kind }: Change): boolean {
    const filtered = this.#filters.includes(kind === "put" ? FilterType.NOPUT : FilterType.NODELETE);
    return !filtered && contains(this.#range, key);
  }

  #event({ kind, keyValue, previous }: Change, store: RevisionStore): Event {
    // The version before is told only while it could also be read.
    const readable = keyValue.modRevision > store.compactedRevision;
    return create(EventSchema, {
      type: kind === "put" ? EventType.PUT : EventType.DELETE,
      kv: keyValue,
      ...(this.#prevKv && readable && previous && { prevKv: previous }),
    });
  }
}

export function watchedRange({ key, rangeEnd }: WatchCreateRequest): KeyRange {
  return keyRange(key.length > 0 ? key : LOWEST_KEY, rangeEnd);
}

/**
 * The watches of one gRPC stream.
 *
 * There is one way for an event to go out: a watch that is behind the store takes batches of commits from its history.
 * Following live is being one revision behind; catching up from the past is being many behind; and a client that does not
 * read just falls behind until its stream drains, so that nothing is queued for it.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../clock.js";
import { type Random, randomInteger } from "../random.js";
import {
  type WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
  WatchResponseSchema,
} from "../registry/etcd/proto/etcd_pb.js";
import { isEmptyRange } from "./key-range.js";
import { type Member, responseHeader } from "./member.js";
import type { RevisionStore } from "./revision-store.js";
import { fragments } from "./watch-fragments.js";
import { Watcher, watchedRange } from "./watcher.js";

/** The watch id of answers that belong to no watch, or to all of the stream. */
const NO_WATCH = -1n;

const reasons = {
  emptyRange: "mvcc: watcher range is empty",
  duplicateId: "mvcc: duplicate watch ID provided on the WatchStream",
  compacted: "etcdserver: mvcc: required revision has been compacted",
} as const;

export interface WatchStreamOptions {
  readonly store: RevisionStore;
  readonly member: Member;
  readonly clock: Clock;
  readonly random: Random;
  /** How often a quiet watch that asked for it is told the revision. */
  readonly progressNotifyMs: number;
  /** Sends a response; `false` asks to be left alone until `drained`. */
  readonly send: (response: WatchResponse) => boolean;
}

export class WatchStream {
  readonly #options: WatchStreamOptions;
  readonly #watchers = new Map<bigint, Watcher>();
  /** Of the watches that asked for progress, those that were sent something since it was last told. */
  readonly #toldLately = new Set<Watcher>();
  readonly #observation: Disposable;
  #nextId = 0n;
  #full = false;
  #progressOwed = false;
  #progressTimer: Timer | undefined;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    this.#observation = options.store.observe(() => this.#advance());
  }

  receive({ requestUnion: request }: WatchRequest): void {
    switch (request.case) {
      case "createRequest":
        this.#create(request.value);
        break;
      case "cancelRequest":
        if (this.#remove(request.value.watchId)) this.#answer({ watchId: request.value.watchId, canceled: true });
        break;
      case "progressRequest":
        this.#progressOwed = true;
        break;
    }
    this.#advance();
  }

  /** The client has read what was sent. */
  drained(): void {
    this.#full = false;
    this.#advance();
  }

  close(): void {
    this.#observation[Symbol.dispose]();
    this.#progressTimer?.cancel();
    this.#watchers.clear();
  }

  #create(request: WatchCreateRequest): void {
    const reason = this.#refuse(request);
    if (reason) {
      this.#answer({ watchId: NO_WATCH, created: true, canceled: true, cancelReason: reason });
      return;
    }
    const id = request.watchId === 0n ? this.#unusedId() : request.watchId;
    const watcher = new Watcher(id, request, this.#options.store.revision);
    this.#watchers.set(id, watcher);
    this.#answer({ watchId: id, created: true });
    if (watcher.progressNotify) this.#progressTimer ??= this.#scheduleProgress();
  }

  #refuse(request: WatchCreateRequest): string | undefined {
    if (request.startRevision < 0n) return reasons.compacted; // as etcd has it since 3.5.24
    if (isEmptyRange(watchedRange(request))) return reasons.emptyRange;
    if (request.watchId !== 0n && this.#watchers.has(request.watchId)) return reasons.duplicateId;
    return undefined;
  }

  #unusedId(): bigint {
    while (this.#watchers.has(this.#nextId)) this.#nextId += 1n;
    return this.#nextId++;
  }

  #remove(id: bigint): boolean {
    const watcher = this.#watchers.get(id);
    if (watcher) this.#toldLately.delete(watcher);
    return this.#watchers.delete(id);
  }

  /** Brings every watch as far as the client reads. */
  #advance(): void {
    const { store } = this.#options;
    for (const watcher of this.#watchers.values()) {
      while (!this.#full && watcher.isBehind(store) && !watcher.isCompacted(store)) this.#sendNext(watcher);
      if (watcher.isCompacted(store)) this.#cancelCompacted(watcher);
    }
    if (this.#progressOwed && !this.#full) {
      this.#progressOwed = false;
      if (this.#watchers.size > 0) this.#answer({ watchId: NO_WATCH }); // etcd has nobody to tell it to otherwise
    }
  }

  #sendNext(watcher: Watcher): void {
    const events = watcher.take(this.#options.store);
    if (events.length === 0) return;
    this.#answer({ watchId: watcher.id, events }, watcher.fragment);
    if (watcher.progressNotify) this.#toldLately.add(watcher);
  }

  #cancelCompacted({ id }: Watcher): void {
    this.#remove(id);
    // etcd leaves the header's revision at 0 here, and gives no reason.
    const header = responseHeader(this.#options.member, 0n);
    this.#answer({ header, watchId: id, canceled: true, compactRevision: this.#options.store.compactedRevision });
  }

  /** All watches of a stream are told at one time; one that had events since the last time is passed over. */
  #scheduleProgress(): Timer {
    const { clock, random, progressNotifyMs } = this.#options;
    const jitterMs = randomInteger(random, progressNotifyMs / 10);
    return clock.after(progressNotifyMs + jitterMs, () => {
      for (const watcher of this.#watchers.values()) {
        const quiet = watcher.progressNotify && !watcher.isBehind(this.#options.store);
        if (quiet && !this.#toldLately.delete(watcher)) this.#answer({ watchId: watcher.id });
      }
      this.#progressTimer = this.#scheduleProgress();
    });
  }

  #answer(fields: MessageInitShape<typeof WatchResponseSchema>, inFragments = false): void {
    const header = responseHeader(this.#options.member, this.#options.store.revision);
    const response = create(WatchResponseSchema, { header, ...fields });
    for (const part of inFragments ? fragments(response) : [response]) {
      if (!this.#options.send(part)) this.#full = true;
    }
  }
}

/**
 * Watches the keys of one registration and tells when they are not as they were written.
 *
 * Why, when the lease is kept alive: a renewed lease says nothing of the key. An operator deletes it, a `put` strips its
 * lease, another registrar takes it over, and some servers confirm a lease that they have revoked (fixed in 3.4.38, 3.5.23).
 *
 * The watch sees such a thing within milliseconds. Because a watch can also be deaf without knowing, the keys are read once
 * per TTL as well: an entry that vanished unseen is then away no longer than a dead one stays, for a third of what the
 * renewals cost. Where renewals are slow to be answered they are read once more in a TTL, for the term of the leader. A watch that ends, whatever the reason, begins again from a read, so nothing in between is missed.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import type { Random } from "../../../random.js";
import type { KeyValue } from "../../layouts/layout.js";
import type { EtcdClient, EtcdStream } from "../client/client.js";
import { EtcdError } from "../client/etcd-error.js";
import { keyBytes, keyText } from "../client/key-range.js";
import { Event_EventType, Watch, type WatchRequestSchema, type WatchResponse } from "../proto/etcd_pb.js";
import { type Judgement, judgeAll, readKeys } from "./claim.js";

// As for a view's watch: a member that is well answers at once, and one that hangs is noticed by the client's probe.
const CREATED_WITHIN_MS = 5_000;
const RETRY = { baseMs: 100, maxMs: 2_000 };
// Ample for an answer, and a small part of the time between two tries: four hundred registrations in one process would
// otherwise cost more while etcd is away than while it is there.
const DOUBTFUL_READ_MS = 1_000;

export interface OwnKeysOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly probePrefix: string;
  readonly entries: readonly KeyValue[];
  readonly leaseId: bigint;
  /** The last revision at which the keys are known: the watch begins after it. */
  readonly revision: bigint;
  /** How often the keys are read although the watch is silent. */
  readonly verifyEveryMs: number;
  /**
   * Whether the lease is in doubt. The renewals look for etcd then, on one stream for all registrations, and the first that
   * is answered has the keys read; so they are read no more often than usual by themselves.
   */
  readonly isInDoubt: () => boolean;
  /** The raft term of the member that answered a read, after all that it had heard of the leader; told before the judgement. */
  readonly onTerm: (term: bigint) => void;
  /** Told of each change and after each read. */
  readonly onJudgement: (judgement: Judgement) => void;
  /** Reading them is refused: what happens to the keys may go unseen. Told once, and again after a read that was not refused. */
  readonly onBlind: (error: Error) => void;
}

export class OwnKeys {
  readonly #options: OwnKeysOptions;
  readonly #stopping = new AbortController();
  #stream: EtcdStream<MessageInitShape<typeof WatchRequestSchema>> | undefined;
  #startRevision = 0n;
  #openedAtMs = 0;
  /** The member has taken the watch. */
  #created = false;
  #reading = false;
  #blind = false;
  #timer: Timer | undefined;
  #failures = 0;

  constructor(options: OwnKeysOptions) {
    this.#options = options;
    this.#watch(options.revision + 1n);
    this.#readAfter(this.#jitteredPeriodMs());
  }

  /** Reads the keys now, whatever the watch says. */
  verify(): void {
    if (!this.#reading) void this.#read();
  }

  stop(): void {
    this.#stopping.abort();
    this.#timer?.cancel();
    this.#stream?.cancel();
    this.#stream = undefined;
  }

  async #read(): Promise<void> {
    const { client, entries, leaseId, isInDoubt } = this.#options;
    const { signal } = this.#stopping;
    this.#timer?.cancel();
    this.#reading = true;
    try {
      const keys = entries.map(({ key }) => key);
      const { found, revision, term } = await readKeys(client, keys, {
        signal,
        ...(isInDoubt() && { timeoutMs: DOUBTFUL_READ_MS }),
      });
      if (signal.aborted) return;
      this.#blind = false;
      // A read alone does not end the row of failures: a watch that is cut as soon as it is open must not make a hot loop.
      if (this.#stream) this.#failures = 0;
      this.#giveUpUnanswered();
      if (!this.#stream) this.#watch(revision + 1n);
      this.#readAfter(this.#jitteredPeriodMs());
      this.#options.onTerm(term);
      this.#options.onJudgement(judgeAll(entries, found, leaseId));
    } catch (error) {
      // Not being able to look is no news of the keys; the lease's own doubt tells the user that etcd is away.
      if (error instanceof EtcdError && error.code === "REGISTRY_DENIED") this.#tellBlind(error);
      this.#retry();
    } finally {
      this.#reading = false;
    }
  }

  #tellBlind(error: Error): void {
    if (this.#blind || this.#stopping.signal.aborted) return;
    this.#blind = true;
    this.#options.onBlind(error);
  }

  /** A member that answers everything but the watch is no help: its stream stays open, and the connection is well. */
  #giveUpUnanswered(): void {
    if (!this.#stream || this.#created || this.#options.clock.nowMs() - this.#openedAtMs < CREATED_WITHIN_MS) return;
    this.#stream.suspect("it did not answer the request for a watch");
    this.#stream.cancel();
    this.#stream = undefined;
  }

  #watch(startRevision: bigint): void {
    const { client, clock, entries, probePrefix } = this.#options;
    this.#startRevision = startRevision;
    this.#openedAtMs = clock.nowMs();
    this.#created = false;
    this.#stream = client.stream(
      Watch.method.watch,
      { onMessage: (response: WatchResponse) => this.#heard(response), onEnd: () => this.#ended() },
      { probePrefix },
    );
    for (const { key } of entries) {
      this.#stream.send({ requestUnion: { case: "createRequest", value: { key: keyBytes(key), startRevision } } });
    }
  }

  #heard({ created, canceled, compactRevision, events }: WatchResponse): void {
    this.#created ||= created;
    if (canceled) {
      // Compaction, or a token that is no longer good; a new one is harmless.
      if (compactRevision === 0n) this.#stream?.renewToken();
      this.#stream?.cancel();
      this.#ended();
      return;
    }
    // Some versions send older events than were asked for (etcd issue 20221).
    const news = events.filter(({ kv }) => kv !== undefined && kv.modRevision >= this.#startRevision);
    if (news.length === 0) return;
    const { entries, leaseId, onJudgement } = this.#options;
    // Only the last event of a key counts; a Map keeps exactly that.
    const latest = new Map(news.flatMap(({ kv, type }) => (kv ? [[keyText(kv.key), { kv, type }] as const] : [])));
    const present = [...latest].filter(([, { type }]) => type !== Event_EventType.DELETE);
    onJudgement(
      judgeAll(
        entries.filter(({ key }) => latest.has(key)),
        new Map(present.map(([key, { kv }]) => [key, kv] as const)),
        leaseId,
      ),
    );
  }

  #ended(): void {
    this.#stream = undefined;
    if (!this.#stopping.signal.aborted) this.#retry();
  }

  #retry(): void {
    if (this.#stopping.signal.aborted) return;
    const { isInDoubt, random } = this.#options;
    this.#failures += 1;
    this.#readAfter(isInDoubt() ? this.#jitteredPeriodMs() : fullJitter(RETRY, this.#failures, random));
  }

  #readAfter(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => this.verify());
  }

  /** A period of which up to a quarter is left out at random, so that a thousand servers do not read in step. */
  #jitteredPeriodMs(): number {
    return this.#options.verifyEveryMs * (1 - this.#options.random() / 4);
  }
}

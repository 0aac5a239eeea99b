/**
 * Keeps any number of leases alive over one stream, and says of each how sure it may be believed.
 *
 * Why on a schedule of our own: etcd ends a lease that it has not heard of for a TTL, and one hung member must not cost it.
 * So a lease is renewed at a third of its TTL, another member is asked as well when no answer comes within a sixth, and four
 * can be asked before the TTL is over.
 *
 * An answer may also be late by design: etcd's gRPC proxy renews a lease at times of its own, a little more than a third of
 * the TTL apart, and answers only then. So the next request leaves shortly before the proxy's next turn, and not right after
 * its last: it waits less, and what it confirms is younger.
 *
 * A lease is confirmed as of the moment when the request was *sent*: etcd renewed it later than that, so what we believe ends
 * before what etcd believes. Time is monotonic, and a timer that rings much too late means that the process was asleep:
 * then it is our own fault that an answer was not seen, and the member is given its time again.
 */
import type { Clock, Timer } from "../../../clock.js";
import type { Random } from "../../../random.js";
import type { EtcdClient } from "../client/client.js";
import type { LeaseKeepAliveResponse } from "../proto/etcd_pb.js";
import { type GrantedLease, termOf } from "./lease.js";
import { RenewalStreams } from "./renewal-streams.js";

// Of the TTL: when the next renewal is sent, how long after an answer at the least, when the lease is in doubt, and how long
// an answer may take.
const RENEW_AT = 1 / 3;
const REST = 0.3;
const OVERDUE_AT = 2 / 3;
const ANSWER_WITHIN = 1 / 6;
// Below, a TLS handshake on a slow line counts as a hung member; above, a longer wait has no use.
const SHORTEST_ANSWER_MS = 500;
const LONGEST_ANSWER_MS = 2_000;

export interface LeaseObserver {
  /** A prefix that may be read, where the client can probe the stream's connection. */
  readonly probePrefix: string;
  /**
   * The raft term of the member that answers, told with each answer and before anything else that it means. A member writes
   * it down before it has the lease renewed: of an answer that waited for an election, it is the term before.
   */
  onTerm(term: bigint): void;
  /**
   * Confirmed again after the lease was overdue or expired; or by an answer that came late, and then once in a TTL: on a long
   * line every answer is late.
   */
  onRenewed(): void;
  /** No confirmation for two thirds of the TTL. */
  onOverdue(): void;
  /** No confirmation for the whole TTL: etcd may have ended it. Renewals go on. */
  onExpired(): void;
  /** etcd does not know the lease. It is no longer kept. */
  onGone(): void;
}

export interface LeaseKeeperOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
}

export interface KeptLease {
  /**
   * When the confirmation before the last was asked for. The last one may be of a new leader, told with the term of before; so
   * this one is the last that the leader of before is sure to have seen.
   */
  readonly settledAtMs: number;
  /** No more renewals; the observer hears nothing after it. */
  stop(): void;
}

interface Kept {
  readonly id: bigint;
  readonly observer: LeaseObserver;
  ttlMs: number;
  confirmedAtMs: number;
  settledAtMs: number;
  /** Asked, and not answered yet. */
  asked: boolean;
  /** An answer did not come in time, or not on the stream on which it was asked for. */
  slow: boolean;
  /** When the observer was last told of a renewal. */
  toldAtMs: number;
  standing: "confirmed" | "overdue" | "expired";
  /** Rings for the next renewal, or for an answer that did not come. */
  turn?: Timer;
  /** Rings when the standing gets worse. */
  doubt?: Timer;
}

export class LeaseKeeper {
  readonly #clock: Clock;
  readonly #leases = new Map<bigint, Kept>();
  readonly #streams: RenewalStreams;

  constructor({ client, clock, random }: LeaseKeeperOptions) {
    this.#clock = clock;
    this.#streams = new RenewalStreams({
      client,
      clock,
      random,
      probePrefix: () => this.#leases.values().next().value?.observer.probePrefix,
      onAnswer: (answer, sentAtMs) => this.#answered(answer, sentAtMs),
      onMoved: () => {
        for (const kept of this.#leases.values()) {
          kept.slow ||= kept.asked;
          this.#scheduleRenewal(kept);
        }
      },
      onEnded: () => {
        for (const kept of this.#leases.values()) {
          kept.turn?.cancel();
          kept.slow ||= kept.asked;
        }
      },
    });
  }

  keep({ id, ttlMs, confirmedAtMs }: GrantedLease, observer: LeaseObserver): KeptLease {
    const kept: Kept = {
      id,
      ttlMs,
      confirmedAtMs,
      settledAtMs: confirmedAtMs,
      asked: false,
      slow: false,
      toldAtMs: Number.NEGATIVE_INFINITY,
      observer,
      standing: "confirmed",
    };
    this.#leases.set(id, kept);
    this.#awaitConfirmation(kept);
    if (this.#streams.isOpen) this.#scheduleRenewal(kept);
    else this.#streams.open();
    return {
      get settledAtMs() {
        return kept.settledAtMs;
      },
      stop: () => this.#drop(kept),
    };
  }

  #scheduleRenewal(kept: Kept, notBeforeMs = 0): void {
    const dueMs = Math.max(notBeforeMs, kept.confirmedAtMs + kept.ttlMs * RENEW_AT) - this.#clock.nowMs();
    if (dueMs <= 0) this.#renew(kept);
    else this.#setTurn(kept, dueMs, () => this.#renew(kept));
  }

  #renew(kept: Kept): void {
    this.#streams.send(kept.id);
    kept.asked = true;
    this.#awaitAnswer(kept);
  }

  #awaitAnswer(kept: Kept): void {
    const patienceMs = Math.min(LONGEST_ANSWER_MS, Math.max(SHORTEST_ANSWER_MS, kept.ttlMs * ANSWER_WITHIN));
    const dueAtMs = this.#clock.nowMs() + patienceMs;
    this.#setTurn(kept, patienceMs, () => {
      if (this.#clock.nowMs() - dueAtMs > patienceMs) return this.#awaitAnswer(kept);
      kept.slow = true;
      this.#streams.askAnother(`no answer to a lease renewal within ${Math.round(patienceMs)} ms`);
    });
  }

  #answered({ ID: id, TTL: ttlSeconds, header }: LeaseKeepAliveResponse, sentAtMs: number | undefined): void {
    const kept = this.#leases.get(id);
    if (!kept) return;
    if (ttlSeconds <= 0n) {
      this.#drop(kept);
      kept.observer.onGone();
      return;
    }
    kept.observer.onTerm(termOf(header));
    kept.ttlMs = Number(ttlSeconds) * 1_000;
    kept.settledAtMs = kept.confirmedAtMs;
    kept.confirmedAtMs = Math.max(kept.confirmedAtMs, sentAtMs ?? 0);
    const nowMs = this.#clock.nowMs();
    const isTold = kept.standing !== "confirmed" || (kept.slow && nowMs - kept.toldAtMs >= kept.ttlMs);
    kept.asked = false;
    kept.slow = false;
    kept.standing = "confirmed";
    this.#awaitConfirmation(kept);
    this.#scheduleRenewal(kept, nowMs + kept.ttlMs * REST);
    if (!isTold) return;
    kept.toldAtMs = nowMs;
    kept.observer.onRenewed();
  }

  #awaitConfirmation(kept: Kept): void {
    kept.doubt?.cancel();
    const share = kept.standing === "confirmed" ? OVERDUE_AT : 1;
    const delayMs = Math.max(0, kept.confirmedAtMs + kept.ttlMs * share - this.#clock.nowMs());
    kept.doubt = this.#clock.after(delayMs, () => this.#doubt(kept));
  }

  #doubt(kept: Kept): void {
    if (this.#clock.nowMs() >= kept.confirmedAtMs + kept.ttlMs) {
      kept.standing = "expired";
      kept.observer.onExpired();
    } else {
      kept.standing = "overdue";
      this.#awaitConfirmation(kept);
      kept.observer.onOverdue();
    }
  }

  #drop(kept: Kept): void {
    if (this.#leases.get(kept.id) !== kept) return;
    this.#leases.delete(kept.id);
    kept.turn?.cancel();
    kept.doubt?.cancel();
    if (this.#leases.size === 0) this.#streams.close();
  }

  #setTurn(kept: Kept, delayMs: number, callback: () => void): void {
    kept.turn?.cancel();
    kept.turn = this.#clock.after(delayMs, callback);
  }
}

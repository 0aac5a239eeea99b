/**
 * The leases of one registration: the present one, under which its keys stand or are to be written; a fresh one that is being
 * granted to take its place; and those that keys are moved from, which are kept until they hold none.
 *
 * Why a lease that is well is left at all: a leader that hung (paused, starved, cut off) and was replaced does not know it as
 * it wakes. It saw no renewal, finds the lease expired by its own clock and proposes to revoke it, and the leader of now
 * carries that out. What it cannot revoke is a lease that it does not know of.
 */
import { equalJitter, fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import { toError } from "../../../errors.js";
import { type Random, randomLeaseId } from "../../../random.js";
import type { EtcdClient } from "../client/client.js";
import { isPassing } from "../client/etcd-error.js";
import { type GrantedLease, grantLease, revokeLease } from "./lease.js";
import type { KeptLease, LeaseKeeper, LeaseObserver } from "./lease-keeper.js";
import { FIRST_PAUSE_MS, LONGEST_PAUSE_OF_TTL, RELEASE_WITHIN_MS, TRY_MS } from "./tries.js";

// Hundreds of registrations learn of an election in the same second. Of the TTL: short enough to be done before the leader
// of before could think that it is over.
const SPREAD = 1 / 6;
// What was refused is mended by a person (space, a permission), and the lease that is to be replaced is well.
const LONGEST_PAUSE_WHEN_REFUSED_OF_TTL = 4;

export interface HeldLeasesOptions {
  readonly client: EtcdClient;
  readonly keeper: LeaseKeeper;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface HeldLeasesObserver {
  /** Told of the present lease only. */
  readonly lease: LeaseObserver;
  /** There is a fresh lease to `move()` to. */
  onReplaced(): void;
  /** A fresh lease, or the keys under it, were refused. Told once, and again after a move that was not refused. */
  onRefused(error: Error): void;
}

interface Held {
  /** Ours from the first try of its grant on, granted or not. */
  readonly id: bigint;
  /**
   * The term heard last when it was first asked for, if any. The lease may be of that one, whatever term an answer says: it may
   * have waited for an election, or the lease was granted by an earlier try.
   */
  readonly inTerm: bigint | undefined;
  granted: GrantedLease | undefined;
  kept: KeptLease | undefined;
}

/** One that is to take the place of the present one. */
interface Successor {
  lease: Held | undefined;
  /** Rings for the next try. */
  timer: Timer | undefined;
  failures: number;
  readonly ended: AbortController;
}

export class HeldLeases {
  readonly #options: HeldLeasesOptions;
  readonly #observer: HeldLeasesObserver;
  #present: Held | undefined;
  #successor: Successor | undefined;
  /** Oldest first. */
  #former: readonly Held[] = [];
  /** A later one than this is news; any is believed where there is none. */
  #term: bigint | undefined;
  #refused = false;

  constructor(options: HeldLeasesOptions, observer: HeldLeasesObserver) {
    this.#options = options;
    this.#observer = observer;
  }

  /** The present one; 0 while there is none. */
  get id(): bigint {
    return this.#present?.id ?? 0n;
  }

  get ttlMs(): number {
    return this.#present?.granted?.ttlMs ?? this.#options.ttlMs;
  }

  /** Those that may still hold keys of ours beside the present one. */
  get former(): readonly bigint[] {
    return this.#former.map(({ id }) => id);
  }

  /** Asks for the present lease, by the same id as long as it may have been granted without our knowing. */
  async grant(call: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<void> {
    this.#present ??= this.#ask();
    const lease = this.#present;
    try {
      const granted = await grantLease(this.#options, lease.id, this.#options.ttlMs, call);
      if (call.signal.aborted) return;
      lease.granted = granted;
      this.#term = lease.inTerm ?? granted.term;
    } catch (error) {
      if (!(call.signal.aborted || isPassing(error))) this.#present = undefined;
      throw error;
    }
  }

  /** Keeps the present one alive. */
  keep(): void {
    const lease = this.#present;
    if (!lease?.granted) return;
    const observer = this.#observer.lease;
    const whilePresent =
      <T extends readonly unknown[]>(tell: (...news: T) => void) =>
      (...news: T) => {
        if (lease === this.#present) tell(...news);
      };
    lease.kept = this.#options.keeper.keep(lease.granted, {
      probePrefix: observer.probePrefix,
      onTerm: whilePresent(observer.onTerm),
      onRenewed: whilePresent(observer.onRenewed),
      onOverdue: whilePresent(observer.onOverdue),
      onExpired: whilePresent(observer.onExpired),
      onGone: whilePresent(observer.onGone),
    });
  }

  /**
   * Takes note of the term that an answer was headed with, and says whether it is news: there was an election since the present
   * lease was asked for, or since news were told last.
   */
  noteTerm(term: bigint): boolean {
    const before = this.#term;
    if (term <= (before ?? 0n)) return false;
    this.#term = term;
    return before !== undefined;
  }

  /** The term that is noted next is no news. */
  acceptTerm(): void {
    this.#term = undefined;
  }

  /**
   * Has a lease granted to take the place of the present one, soon and as often as it takes. Nothing, where that is under way;
   * but one that waits after a failure is asked for anew, for what failed was the cluster before this election.
   */
  replace(): void {
    if (this.#successor && !(this.#successor.timer && this.#successor.failures > 0)) return;
    this.#revoke(this.#endSuccessor());
    const { clock, random } = this.#options;
    const leftMs = (this.#present?.kept?.settledAtMs ?? 0) + this.ttlMs - clock.nowMs();
    const spreadMs = Math.max(0, Math.min(this.ttlMs * SPREAD, leftMs / 2));
    this.#replaceAfter(random() * spreadMs, 0);
  }

  /** Makes the fresh lease the present one, and keeps that of before too. */
  move(): void {
    const fresh = this.#successor?.lease;
    if (!(fresh?.granted && this.#present)) return;
    this.#former = [...this.#former, this.#present];
    this.#successor = undefined;
    this.#present = fresh;
    this.#term = fresh.inTerm ?? fresh.granted.term;
    this.keep();
  }

  /**
   * Makes the lease of before the present one again, for the keys may not be written under the fresh one, which is given back. It
   * is tried again much later. Says whether there was one of before.
   */
  moveBack(error: Error): boolean {
    const before = this.#former.at(-1);
    if (!before) return false;
    for (const lease of [this.#endSuccessor(), this.#present]) this.#revoke(lease);
    this.#present = before;
    this.#former = this.#former.slice(0, -1);
    this.#tellRefused(error);
    const pauseMs = this.ttlMs * LONGEST_PAUSE_WHEN_REFUSED_OF_TTL;
    this.#replaceAfter(equalJitter({ baseMs: pauseMs, maxMs: pauseMs }, 1, this.#options.random), 1);
    return true;
  }

  /** Gives back those that the keys were moved from: they hold none any more. */
  giveBackFormer(): void {
    const former = this.#former;
    this.#former = [];
    this.#refused = false;
    for (const lease of former) this.#revoke(lease);
  }

  /** The present one is gone. What was asked for to take its place takes it. */
  forget(): void {
    this.#present?.kept?.stop();
    this.#present = this.#endSuccessor();
    this.#term = undefined;
  }

  /** Stops keeping any, and revokes all: what still hangs on them goes with them. */
  async giveBack(timeoutMs: number): Promise<void> {
    const leases = [this.#present, this.#endSuccessor(), ...this.#former];
    this.#present = undefined;
    this.#former = [];
    this.#term = undefined;
    for (const lease of leases) lease?.kept?.stop();
    const { client } = this.#options;
    await Promise.all(leases.map((lease) => lease && revokeLease(client, lease.id, timeoutMs)));
  }

  #replaceAfter(delayMs: number, failures: number): void {
    const successor: Successor = { lease: undefined, timer: undefined, failures, ended: new AbortController() };
    this.#successor = successor;
    successor.timer = this.#options.clock.after(delayMs, () => void this.#grantSuccessor(successor));
  }

  async #grantSuccessor(successor: Successor): Promise<void> {
    const { clock, random, ttlMs } = this.#options;
    const { signal } = successor.ended;
    successor.timer = undefined;
    successor.lease ??= this.#ask();
    const { lease } = successor;
    try {
      lease.granted = await grantLease(this.#options, lease.id, ttlMs, { signal, timeoutMs: TRY_MS });
    } catch (error) {
      if (signal.aborted) return;
      const passing = isPassing(error);
      if (!passing) {
        successor.lease = undefined;
        this.#tellRefused(toError(error));
      }
      successor.failures += 1;
      const ofTtl = passing ? LONGEST_PAUSE_OF_TTL : LONGEST_PAUSE_WHEN_REFUSED_OF_TTL;
      const pause = { baseMs: FIRST_PAUSE_MS, maxMs: this.ttlMs * ofTtl };
      const pauseMs = fullJitter(pause, successor.failures, random);
      successor.timer = clock.after(pauseMs, () => void this.#grantSuccessor(successor));
      return;
    }
    if (!signal.aborted) this.#observer.onReplaced();
  }

  #tellRefused(error: Error): void {
    if (!this.#refused) this.#observer.onRefused(error);
    this.#refused = true;
  }

  #ask(): Held {
    return { id: randomLeaseId(this.#options.random), inTerm: this.#term, granted: undefined, kept: undefined };
  }

  /** Nothing hangs on it. */
  #revoke(lease: Held | undefined): void {
    if (!lease) return;
    lease.kept?.stop();
    revokeLease(this.#options.client, lease.id, RELEASE_WITHIN_MS).catch(() => {});
  }

  /** Gives what may have been granted. */
  #endSuccessor(): Held | undefined {
    const successor = this.#successor;
    this.#successor = undefined;
    successor?.timer?.cancel();
    successor?.ended.abort();
    return successor?.lease;
  }
}

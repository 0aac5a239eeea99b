/**
 * The leases of one registration: the present one, under which its keys stand or are to be written; a fresh one that is being
 * granted to take its place; and those that keys are moved from, which are kept until they hold none.
 *
 * Why a lease that is well is left at all: a leader that hung (paused, starved, cut off) and was replaced does not know it as
 * it wakes. It saw no renewal, finds the lease expired by its own clock and proposes to revoke it, and the leader of now
 * carries that out. What it cannot revoke is a lease that it does not know of.
 */
import { fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import { type Random, randomLeaseId } from "../../../random.js";
import type { EtcdClient } from "../client/client.js";
import { isPassing } from "../client/etcd-error.js";
import { type GrantedLease, grantLease, revokeLease } from "./lease.js";
import type { KeptLease, LeaseKeeper, LeaseObserver } from "./lease-keeper.js";

// Hundreds of registrations learn of an election in the same second. Of the TTL: short enough to be done before the leader
// of before could think that it is over.
const SPREAD = 1 / 6;
// One try of a grant. The first pauses are as short as an election asks for; the last ones are long, for the lease that is to
// be replaced is well, and what stands in the way by then (no space, no permission) is mended by a person.
const TRY_MS = 3_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_OF_TTL = 4;
// Nothing hangs on a lease that keys were moved from: should this fail, it runs out by itself.
const RELEASE_WITHIN_MS = 2_000;

export interface HeldLeasesOptions {
  readonly client: EtcdClient;
  readonly keeper: LeaseKeeper;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** A lease that was asked for: ours from then on, granted or not. */
interface Asked {
  readonly id: bigint;
  /**
   * The term heard last when it was first asked for, if any. The lease may be of that one, whatever term an answer says: it may
   * have waited for an election, or the lease was granted by an earlier try.
   */
  readonly inTerm: bigint | undefined;
}

/** One that is being granted to take the place of the present one. */
interface Successor {
  asked: Asked | undefined;
  granted: GrantedLease | undefined;
  timer: Timer | undefined;
  failures: number;
  readonly ended: AbortController;
}

export class HeldLeases {
  readonly #options: HeldLeasesOptions;
  readonly #observer: LeaseObserver;
  #asked: Asked | undefined;
  #granted: GrantedLease | undefined;
  #kept: KeptLease | undefined;
  /** A later one than this is news; any is believed where there is none. */
  #term: bigint | undefined;
  #successor: Successor | undefined;
  readonly #former = new Map<bigint, KeptLease | undefined>();

  /** `observer` is told of the present lease only. */
  constructor(options: HeldLeasesOptions, observer: LeaseObserver) {
    this.#options = options;
    this.#observer = observer;
  }

  /** The present one; 0 while there is none. */
  get id(): bigint {
    return this.#asked?.id ?? 0n;
  }

  get ttlMs(): number {
    return this.#granted?.ttlMs ?? this.#options.ttlMs;
  }

  /** Those that may still hold keys of ours beside the present one. */
  get former(): readonly bigint[] {
    return [...this.#former.keys()];
  }

  /** Asks for the present lease, by the same id as long as it may have been granted without our knowing. */
  async grant(call: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<void> {
    this.#asked ??= this.#ask();
    const { id, inTerm } = this.#asked;
    try {
      const granted = await grantLease(this.#options, id, this.#options.ttlMs, call);
      if (call.signal.aborted) return;
      this.#granted = granted;
      this.#term = inTerm ?? granted.term;
    } catch (error) {
      if (!(call.signal.aborted || isPassing(error))) this.#asked = undefined;
      throw error;
    }
  }

  /** Keeps the present one alive. */
  keep(): void {
    const granted = this.#granted;
    if (!granted) return;
    const ifPresent = (tell: () => void) => () => {
      if (granted.id === this.id) tell();
    };
    const { probePrefix, onTerm, onRenewed, onOverdue, onExpired, onGone } = this.#observer;
    this.#kept = this.#options.keeper.keep(granted, {
      probePrefix,
      onTerm: (term) => ifPresent(() => onTerm(term))(),
      onRenewed: ifPresent(onRenewed),
      onOverdue: ifPresent(onOverdue),
      onExpired: ifPresent(onExpired),
      onGone: ifPresent(onGone),
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
   * Has a lease granted to take the place of the present one, soon and as often as it takes, and tells once there is one to
   * `move()` to. Nothing, where that is under way.
   */
  replace(onGranted: () => void): void {
    if (this.#successor) return;
    const { clock, random } = this.#options;
    const nothing = { asked: undefined, granted: undefined, timer: undefined };
    const successor: Successor = { ...nothing, failures: 0, ended: new AbortController() };
    this.#successor = successor;
    const leftMs = (this.#kept?.settledAtMs ?? 0) + this.ttlMs - clock.nowMs();
    const spreadMs = Math.max(0, Math.min(this.ttlMs * SPREAD, leftMs / 2));
    successor.timer = clock.after(random() * spreadMs, () => void this.#grantSuccessor(successor, onGranted));
  }

  /** Makes the fresh lease the present one, and keeps that of before too. */
  move(): void {
    const { asked, granted } = this.#successor ?? {};
    if (!(asked && granted)) return;
    this.#former.set(this.id, this.#kept);
    this.#successor = undefined;
    this.#asked = asked;
    this.#granted = granted;
    this.#term = asked.inTerm ?? granted.term;
    this.keep();
  }

  /** Gives back those that the keys were moved from: they hold none any more. */
  giveBackFormer(): void {
    const former = [...this.#former];
    this.#former.clear();
    for (const [id, kept] of former) {
      kept?.stop();
      revokeLease(this.#options.client, id, RELEASE_WITHIN_MS).catch(() => {});
    }
  }

  /** The present one is gone. What was asked for to take its place takes it. */
  forget(): void {
    this.#kept?.stop();
    this.#kept = undefined;
    this.#asked = this.#endSuccessor();
    this.#term = undefined;
  }

  /** Stops keeping any, and revokes all: what still hangs on them goes with them. */
  async giveBack(timeoutMs: number): Promise<void> {
    const ids = [this.#asked?.id, this.#endSuccessor()?.id, ...this.#former.keys()];
    for (const kept of [this.#kept, ...this.#former.values()]) kept?.stop();
    this.#kept = undefined;
    this.#asked = undefined;
    this.#term = undefined;
    this.#former.clear();
    const { client } = this.#options;
    await Promise.all(ids.map((id) => (id === undefined ? undefined : revokeLease(client, id, timeoutMs))));
  }

  async #grantSuccessor(successor: Successor, onGranted: () => void): Promise<void> {
    const { clock, random, ttlMs } = this.#options;
    const { signal } = successor.ended;
    successor.asked ??= this.#ask();
    try {
      successor.granted = await grantLease(this.#options, successor.asked.id, ttlMs, { signal, timeoutMs: TRY_MS });
      if (!signal.aborted) onGranted();
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) successor.asked = undefined;
      successor.failures += 1;
      const pause = { baseMs: FIRST_PAUSE_MS, maxMs: this.ttlMs * LONGEST_PAUSE_OF_TTL };
      const pauseMs = fullJitter(pause, successor.failures, random);
      successor.timer = clock.after(pauseMs, () => void this.#grantSuccessor(successor, onGranted));
    }
  }

  #ask(): Asked {
    return { id: randomLeaseId(this.#options.random), inTerm: this.#term };
  }

  /** Gives what may have been granted. */
  #endSuccessor(): Asked | undefined {
    const successor = this.#successor;
    this.#successor = undefined;
    successor?.timer?.cancel();
    successor?.ended.abort();
    return successor?.asked;
  }
}

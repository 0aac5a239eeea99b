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

/** One that is being granted, or waits to be moved to. */
interface Successor {
  /** Ours from the first try on, granted or not. */
  id: bigint | undefined;
  granted: GrantedLease | undefined;
  timer: Timer | undefined;
  failures: number;
  readonly ended: AbortController;
}

export class HeldLeases {
  readonly #options: HeldLeasesOptions;
  readonly #observer: LeaseObserver;
  /** Ours from the first try of its grant on, granted or not. */
  #id: bigint | undefined;
  #granted: GrantedLease | undefined;
  #kept: KeptLease | undefined;
  /** The latest that was heard of; 0 where the next one is to be believed whatever it is. */
  #term = 0n;
  #successor: Successor | undefined;
  readonly #former = new Map<bigint, KeptLease | undefined>();

  /** `observer` is told of the present lease only. */
  constructor(options: HeldLeasesOptions, observer: LeaseObserver) {
    this.#options = options;
    this.#observer = observer;
  }

  /** The present one; 0 while there is none. */
  get id(): bigint {
    return this.#id ?? 0n;
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
    this.#id ??= randomLeaseId(this.#options.random);
    try {
      const granted = await grantLease(this.#options, this.#id, this.#options.ttlMs, call);
      if (call.signal.aborted) return;
      this.#granted = granted;
      this.#term = granted.term;
    } catch (error) {
      if (!(call.signal.aborted || isPassing(error))) this.#id = undefined;
      throw error;
    }
  }

  /** Keeps the present one alive. */
  keep(): void {
    const granted = this.#granted;
    if (!granted) return;
    const ifPresent = (tell: () => void) => () => {
      if (granted.id === this.#id) tell();
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

  /** Whether `term` is news: there was an election since the present lease was granted, or since news were told last. */
  hears(term: bigint): boolean {
    if (term <= this.#term) return false;
    const isFirst = this.#term === 0n;
    this.#term = term;
    return !isFirst;
  }

  /** The term that is heard next is no news. */
  acceptTerm(): void {
    this.#term = 0n;
  }

  /**
   * Has a lease granted to take the place of the present one, soon and as often as it takes, and tells once there is one to
   * `move()` to. Nothing, where that is under way.
   */
  replace(onGranted: () => void): void {
    if (this.#successor) return;
    const { clock, random } = this.#options;
    const nothing = { id: undefined, granted: undefined, timer: undefined };
    const successor: Successor = { ...nothing, failures: 0, ended: new AbortController() };
    this.#successor = successor;
    const leftMs = (this.#kept?.settledAtMs ?? 0) + this.ttlMs - clock.nowMs();
    const spreadMs = Math.max(0, Math.min(this.ttlMs * SPREAD, leftMs / 2));
    successor.timer = clock.after(random() * spreadMs, () => void this.#grantSuccessor(successor, onGranted));
  }

  /** Makes the fresh lease the present one, and keeps that of before too. */
  move(): void {
    const granted = this.#successor?.granted;
    if (!granted) return;
    this.#former.set(this.id, this.#kept);
    this.#successor = undefined;
    this.#id = granted.id;
    this.#granted = granted;
    if (granted.term > this.#term) this.#term = granted.term;
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
    this.#id = this.#endSuccessor();
  }

  /** Stops keeping any, and revokes all: what still hangs on them goes with them. */
  async giveBack(timeoutMs: number): Promise<void> {
    const ids = [this.#id, this.#endSuccessor(), ...this.#former.keys()];
    for (const kept of [this.#kept, ...this.#former.values()]) kept?.stop();
    this.#kept = undefined;
    this.#id = undefined;
    this.#former.clear();
    const { client } = this.#options;
    await Promise.all(ids.map((id) => (id === undefined ? undefined : revokeLease(client, id, timeoutMs))));
  }

  async #grantSuccessor(successor: Successor, onGranted: () => void): Promise<void> {
    const { clock, random, ttlMs } = this.#options;
    const { signal } = successor.ended;
    successor.id ??= randomLeaseId(random);
    try {
      successor.granted = await grantLease(this.#options, successor.id, ttlMs, { signal, timeoutMs: TRY_MS });
      if (!signal.aborted) onGranted();
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) successor.id = undefined;
      successor.failures += 1;
      const pause = { baseMs: FIRST_PAUSE_MS, maxMs: this.ttlMs * LONGEST_PAUSE_OF_TTL };
      const pauseMs = fullJitter(pause, successor.failures, random);
      successor.timer = clock.after(pauseMs, () => void this.#grantSuccessor(successor, onGranted));
    }
  }

  /** Gives the id under which one may have been granted. */
  #endSuccessor(): bigint | undefined {
    const successor = this.#successor;
    this.#successor = undefined;
    successor?.timer?.cancel();
    successor?.ended.abort();
    return successor?.id;
  }
}

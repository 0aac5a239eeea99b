/**
 * Leases: keys attached to one go in a single revision when it is revoked or not renewed in time.
 *
 * Which key belongs to which lease is read off the store's commits, so a put that names no lease detaches its key exactly
 * when the key changes.
 */
import type { Clock, Timer } from "../clock.js";
import { type Random, randomLeaseId } from "../random.js";
import { EtcdError } from "./errors.js";
import { singleKey } from "./key-range.js";
import type { Commit, RevisionStore } from "./revision-store.js";

/** The least that is granted, in seconds: 1.5 of etcd's default election timeouts, rounded up. */
const MIN_TTL = 2n;
// etcd's lease.MaxLeaseTTL, some 285 years.
const MAX_TTL = 9_000_000_000n;

interface Lease {
  readonly id: bigint;
  /** Seconds granted. */
  readonly ttl: bigint;
  readonly keys: Set<string>;
  expiresAtMs: number;
  timer: Timer;
}

export interface LeaseStanding {
  readonly grantedTtl: bigint;
  /** Whole seconds left. */
  readonly ttl: bigint;
  /** In key order. */
  readonly keys: readonly string[];
}

export class Leases {
  readonly #store: RevisionStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #leases = new Map<bigint, Lease>();
  readonly #observation: Disposable;

  constructor(store: RevisionStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
    this.#observation = store.observe((commit) => this.#follow(commit));
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /** Grants at least the minimal TTL; an id of 0 lets the server choose. */
  grant(wantedId: bigint, wantedTtl: bigint): { readonly id: bigint; readonly ttl: bigint } {
    if (wantedTtl > MAX_TTL) throw new EtcdError("leaseTtlTooLarge");
    if (this.#leases.has(wantedId)) throw new EtcdError("leaseExists");
    const id = wantedId === 0n ? this.#unusedId() : wantedId;
    const ttl = wantedTtl > MIN_TTL ? wantedTtl : MIN_TTL;
    const expiresAtMs = this.#clock.nowMs() + milliseconds(ttl);
    this.#leases.set(id, { id, ttl, keys: new Set(), expiresAtMs, timer: this.#expireAfter(id, milliseconds(ttl)) });
    return { id, ttl };
  }

  /** Deletes the lease's keys in one revision. */
  revoke(id: bigint): void {
    const lease = this.#leases.get(id);
    if (!lease) throw new EtcdError("leaseNotFound");
    lease.timer.cancel();
    this.#leases.delete(id);
    this.#store.write((view) => {
      for (const key of [...lease.keys].sort()) view.deleteRange(singleKey(key));
    });
  }

  /** The TTL that the lease has again; 0 when there is no such lease. */
  renew(id: bigint): bigint {
    const lease = this.#leases.get(id);
    if (!lease) return 0n;
    lease.expiresAtMs = this.#clock.nowMs() + milliseconds(lease.ttl);
    return lease.ttl;
  }

  standing(id: bigint): LeaseStanding | undefined {
    const lease = this.#leases.get(id);
    if (!lease) return undefined;
    const leftMs = Math.max(0, lease.expiresAtMs - this.#clock.nowMs());
    return { grantedTtl: lease.ttl, ttl: BigInt(Math.floor(leftMs / 1_000)), keys: [...lease.keys].sort() };
  }

  /** All ids, the first to expire first. */
  ids(): bigint[] {
    return [...this.#leases.values()].sort((a, b) => a.expiresAtMs - b.expiresAtMs).map((lease) => lease.id);
  }

  close(): void {
    this.#observation[Symbol.dispose]();
    for (const lease of this.#leases.values()) lease.timer.cancel();
    this.#leases.clear();
  }

  #follow(commit: Commit): void {
    for (const { key, keyValue, previous } of commit.changes) {
      if (previous && previous.lease !== 0n) this.#leases.get(previous.lease)?.keys.delete(key);
      if (keyValue.lease !== 0n) this.#leases.get(keyValue.lease)?.keys.add(key);
    }
  }

  /** A renewal only moves the deadline: the timer looks when it runs, and waits on if it must. */
  #expireAfter(id: bigint, delayMs: number): Timer {
    return this.#clock.after(delayMs, () => {
      const lease = this.#leases.get(id);
      if (!lease) return;
      const leftMs = lease.expiresAtMs - this.#clock.nowMs();
      if (leftMs > 0) lease.timer = this.#expireAfter(id, leftMs);
      else this.revoke(id);
    });
  }

  #unusedId(): bigint {
    let id = randomLeaseId(this.#random);
    while (this.#leases.has(id)) id = randomLeaseId(this.#random);
    return id;
  }
}

function milliseconds(ttl: bigint): number {
  return Number(ttl) * 1_000;
}

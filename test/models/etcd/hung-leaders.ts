/**
 * Leaders that hung and were replaced, and do not know it as they wake: they saw no renewal meanwhile, and find leases over
 * that live on under their successors.
 */
import type { Clock } from "../../../src/clock.js";
import type { Random } from "../../../src/random.js";
import type { ModelMember } from "./member.js";

/** What one wanted to revoke before it knew of its successor, and could not, is tried again after etcd's request timeout. */
const REVOKED_AGAIN_MS = 7_000;

export class HungLeaders {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ttls = new Map<bigint, bigint>();
  /** When each lease was granted or renewed. */
  readonly #renewedAtMs = new Map<bigint, number>();
  /** When each lease is over, as they believe. */
  readonly #ends = new Map<ModelMember, ReadonlyMap<bigint, number>>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  granted(lease: bigint, ttlSeconds: bigint): void {
    this.#ttls.set(lease, ttlSeconds);
    this.renewed(lease);
  }

  renewed(lease: bigint): void {
    this.#renewedAtMs.set(lease, this.#clock.nowMs());
  }

  ttlOf(lease: bigint): bigint | undefined {
    return this.#ttls.get(lease);
  }

  replaced(leader: ModelMember): void {
    const ends = [...this.#renewedAtMs].map(
      ([lease, atMs]) => [lease, atMs + 1_000 * Number(this.#ttls.get(lease) ?? 0n)] as const,
    );
    this.#ends.set(leader, new Map(ends));
  }

  /** Has the leases revoked, now or later, that `member` finds over as it wakes; none, unless it led when it hung. */
  wakes(member: ModelMember, revoke: (lease: bigint) => void): void {
    const ends = [...(this.#ends.get(member) ?? [])];
    this.#ends.delete(member);
    for (const [lease, atMs] of ends) {
      if (atMs > this.#clock.nowMs()) continue;
      if (this.#random() < 0.5) revoke(lease);
      else this.#clock.after(REVOKED_AGAIN_MS, () => revoke(lease));
    }
  }

  forget(): void {
    this.#ends.clear();
  }
}

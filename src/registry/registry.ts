/**
 * Step 1 of 4: who is present. A registry takes registrations from servers and gives clients a live view of each service.
 *
 * Contract of every implementation (`testing/registry-contract.ts` runs it):
 * - A view is always the complete set, sorted by id. Whoever subscribes sees the current one at once.
 * - A handle starts `pending`. It becomes `live` with the first complete read, also when nobody is registered; before that it
 *   may be `stale` with what a disk remembers, if the registry cannot be read.
 * - A failure of the registry makes a live view `stale` and never empties it; it becomes `live` again by itself.
 * - `instances` is exact at the view's revision, whatever happened. A registry that can lose what it holds keeps instances
 *   that vanished in a mass deletion in `retained`, apart from them, until they are registered again or a grace time is over.
 * - An entry that cannot be decoded is left out, counted in `skipped`, and harms no other.
 * - The service `book` never shows instances of `bookstore`.
 * - Views of a burst may be merged; the last one is always published.
 * - `register()` resolves once the instance can be seen by others, or rejects and leaves nothing behind.
 * - Every instancer is a handle of one's own; closing it ends no other. After `close()` resolves its observers hear nothing.
 */
import type { Instance, Membership, NewInstance } from "../instance.js";
import type { Live } from "../live.js";

export interface Registry extends AsyncDisposable {
  /**
   * Announces `instance` under `service` and keeps it announced until the registration is closed.
   * Rejects when the first attempt fails; whatever fails later heals itself and shows in the registration's state.
   */
  register(service: string, instance: NewInstance, options?: RegisterOptions): Promise<Registration>;
  /** A handle of one's own on the live view of `service`; handles of one service share one watch. */
  instancer(service: string): Instancer;
  /**
   * The address of this host on its way to the registry: what others can reach it at. Absent where there is no such way.
   * Loopback when the registry itself is on loopback. Keeps trying for as long as `options` allow.
   */
  localAddress?(options?: RegisterOptions): Promise<string>;
  /**
   * Closes what the registry opened: registrations are deregistered, instancers end. Nothing keeps their views true any more,
   * so the last one is stale, or stays pending, with an error `CLOSED`.
   */
  close(): Promise<void>;
}

export interface RegisterOptions {
  /** Gives up a registration that has not succeeded yet. */
  readonly signal?: AbortSignal;
  /** How long the first registration may take; default 10,000 ms, `Infinity` to keep trying. */
  readonly timeoutMs?: number;
}

/** The live view of one service. Closing it twice does nothing. */
export interface Instancer extends Live<Membership>, AsyncDisposable {
  readonly service: string;
  /** The entries of the current view that could not be decoded: key and reason. */
  readonly skipped: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/**
 * - `registered`: announced, as far as the registry has confirmed.
 * - `suspect`: no confirmation for two thirds of the TTL; the registry may still hold the entry.
 * - `lost`: the entry is known or believed to be gone; it is being made anew.
 * - `superseded`: somebody else owns the key; it is claimed again once it is free.
 * - `draining`: being withdrawn.
 * - `closed`: withdrawn, or left to expire when the registry could not be reached.
 */
export type RegistrationState = "registered" | "suspect" | "lost" | "superseded" | "draining" | "closed";

export interface RegistrationStatus {
  readonly state: RegistrationState;
  /** Why it is in this state, for people; absent while all is well. */
  readonly reason?: string;
  /** Who owns the key while `superseded`: the lease of its value, or the value itself. */
  readonly by?: string;
}

/** A live announcement. Closing it deregisters; closing it twice does nothing. */
export interface Registration extends Live<RegistrationStatus>, AsyncDisposable {
  readonly service: string;
  readonly instance: Instance;
  /**
   * The lease that holds the entry, its granted TTL and the revision of the last claim, where the registry has such. Another
   * one after each loss, and after each election in etcd.
   */
  readonly lease?: { readonly id: bigint; readonly ttlMs: number; readonly revision: bigint };
  /**
   * Replaces what the instance says of itself, in place; the address cannot change. Waits while the registry is away;
   * rejects when it refuses, and what was said before then stays.
   */
  update(change: Omit<NewInstance, "address">, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Deregisters, within `timeoutMs` (default 3,000); when the registry cannot be reached, the entry is left to expire. */
  close(options?: { readonly timeoutMs?: number }): Promise<void>;
}

/** What one run leaves behind: all that the checks need, and nothing that runs. */
import type { AuditEvent } from "../lab/auditor.js";
import { TTL_MS, type ViewReport } from "../lab/laboratory.js";

const ELECTION_TIMEOUT_MS = 1_000; // etcd's default
// The longest pause between two tries: of a watch; a registration's is half a TTL.
const LONGEST_PAUSE_MS = 5_000;

/**
 * Within this time after the last fault everything has to be as it should be. A dead server's lease may have been renewed just
 * before, by itself or by a new leader, after an election that took several tries; and whoever was told to wait waits.
 */
export const BOUND_MS = TTL_MS + 3 * ELECTION_TIMEOUT_MS + LONGEST_PAUSE_MS;
/** How long it has to stay so: longer than a lease that nobody renews. */
export const HOLD_MS = TTL_MS + 1_000;

export const SERVICE = "book";
export const PREFIX = `/services/${SERVICE}/`;

export interface Recording {
  /** The lives of the cluster: one more each time that it was wiped. */
  readonly lives: readonly Life[];
  readonly intents: readonly Intent[];
  readonly clients: readonly ClientRecord[];
  /** The times of the schedule count from here. */
  readonly startedAtMs: number;
  readonly healedAtMs: number;
  /** When, and at which revision, all was as it should be; absent if that did not come within the bound. */
  readonly settled?: { readonly atMs: number; readonly revision: bigint };
  readonly final: Reading;
}

/** The history of a store from its first revision on, as the auditor heard it. */
export interface Life {
  /** No view that was published before can be of it. */
  readonly sinceMs: number;
  readonly events: readonly AuditEvent[];
  /** What it was asked to forget: all that stood before each of these revisions. */
  readonly compactions?: readonly bigint[];
}

/** That a server wants to be registered, from a call of `register()` to its end. */
export interface Intent {
  /** Unique; stands in the value as metadata. */
  readonly writer: string;
  readonly key: string;
  readonly fromMs: number;
  /** How often it changed what it says of itself; the number stands in the value as well. */
  readonly updates: number;
  /** When `register()` returned: the revision of its claim. */
  readonly registered?: { readonly atMs: number; readonly revision: bigint };
  /** When it was deregistered or its process killed. */
  readonly endedAtMs?: number;
}

/** One process that watches. */
export interface ClientRecord {
  readonly name: string;
  readonly alive: boolean;
  readonly views: readonly ViewReport[];
}

/** What a linearizable read showed. */
export interface Reading {
  readonly atMs: number;
  readonly revision: bigint;
  readonly entries: ReadonlyMap<string, Stored>;
}

export interface Stored {
  readonly value: string;
  /** 0 without one. */
  readonly lease: bigint;
}

/**
 * What the observers of one service see: the membership table as a sequence of views, each of them complete and exact at
 * the revision that it claims.
 *
 * Why a pause between views: a rolling deployment of a thousand instances changes a set a thousand times within a second,
 * and each view costs every observer a reconciliation. The first change after quiet is told in the same turn; within a burst
 * there is one view in 10 ms. Becoming stale, or live again, follows the same rule.
 */
import type { Clock, Timer } from "../../../clock.js";
import { RollcallError } from "../../../errors.js";
import type { Membership } from "../../../instance.js";
import { type Cell, cell, type Live } from "../../../live.js";
import type { Logger } from "../../../logger.js";
import { publishMembership } from "../../../observe/events.js";
import type { Layout } from "../../layouts/layout.js";
import type { MassDeletionRule } from "../../mass-deletion.js";
import { RetainedInstances } from "../../retained-instances.js";
import type { Held } from "./history.js";
import { MembershipTable } from "./membership.js";
import type { Change, Entry, Position } from "./position.js";
import type { WatchObserver } from "./watch.js";

const VIEW_EVERY_MS = 10;

export interface ViewEnvironment {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly layout: Layout;
  readonly massDeletion: MassDeletionRule;
}

interface Staleness {
  readonly error: Error;
  readonly sinceEpochMs: number;
  readonly sinceMs: number;
  /** Those that were told so far; absent where the first is the one that counts. */
  readonly reasons?: Set<string>;
}

export class PublishedView implements WatchObserver {
  readonly #environment: ViewEnvironment;
  readonly #service: string;
  readonly #table: MembershipTable;
  readonly #retained: RetainedInstances;
  readonly #membership: Cell<Membership> = cell<Membership>({ state: "pending" });
  /** Absent until the first list. */
  #position: { readonly revision: bigint; readonly epoch: number } | undefined;
  #listed = false;
  #stale: Staleness | undefined;
  /** What stands in the way of the first list. */
  #obstacle: Error | undefined;
  #skippedBefore = 0;
  #pause: Timer | undefined;
  #waiting = false;
  #closed = false;

  constructor(environment: ViewEnvironment, service: string) {
    this.#environment = environment;
    this.#service = service;
    this.#table = new MembershipTable(environment.layout);
    const { clock, logger, massDeletion: rule } = environment;
    this.#retained = new RetainedInstances({ clock, logger, rule, service, onRelease: () => this.#publishSoon() });
  }

  get membership(): Live<Membership> {
    return this.#membership;
  }

  get skipped(): ReadonlyMap<string, string> {
    return this.#table.skipped;
  }

  held(revision: bigint): Held {
    return { revision, keys: this.#table.keys, landmark: this.#table.landmark };
  }

  isContradictedBy(entries: readonly Entry[]): boolean {
    return this.#position !== undefined && this.#table.isContradictedBy(entries, this.#position.revision);
  }

  replaced(entries: readonly Entry[], { revision, epoch }: Position): void {
    if (this.#position && epoch !== this.#position.epoch) {
      this.#warn("was read anew because etcd was rebuilt or restored");
    }
    this.#table.replace(entries, epoch);
    this.#position = { revision, epoch };
    this.#tellSkipped();
    // A later list renews a stale view, and does not end that: for this somebody has to watch.
    if (this.#listed) this.#publishSoon();
    else this.heard();
    this.#listed = true;
  }

  /** Shows as stale, until the first list, what was true at `sinceEpochMs`: etcd cannot be heard, and a disk remembers it. */
  remembered(entries: readonly Entry[], revision: bigint, error: Error, sinceEpochMs: number): void {
    this.#table.replace(entries, 0);
    this.#position = { revision, epoch: 0 };
    this.#tellSkipped();
    this.#stale = { error, sinceEpochMs, sinceMs: this.#environment.clock.nowMs() };
    this.#warn(`begins with ${this.#table.instances().length} instances ${error.message}`);
    this.#publishSoon();
  }

  /**
   * Holds the first list against what was true `agoMs` ago: who was there and is not may have been lost while nobody looked.
   * A service that was replaced meanwhile has its new instances, and so does not count.
   */
  compared(before: readonly Entry[], agoMs: number): void {
    const known = new MembershipTable(this.#environment.layout);
    known.replace(before, 0);
    const now = this.#table.instances();
    const present = new Set(now.map(({ id }) => id));
    const gone = known.instances().filter(({ id }) => !present.has(id));
    this.#retained.changed({ gone, come: [], present: now.length }, agoMs);
    this.#publishSoon();
  }

  changed(changes: readonly Change[], revision: bigint): void {
    this.#table.apply(changes);
    this.#position = { revision, epoch: this.#position?.epoch ?? 0 };
    this.#publishSoon();
    this.#tellSkipped();
  }

  heard(): void {
    if (this.#stale) {
      const seconds = (this.#environment.clock.nowMs() - this.#stale.sinceMs) / 1_000;
      this.#stale = undefined;
      this.#retained.resume();
      this.#warn(`is live again after ${seconds.toFixed(1)} s`);
    }
    this.#publishSoon();
  }

  hindered(error: Error): void {
    this.#obstacle = error;
    if (!this.#position) this.#publishSoon();
    // A member that closed its connections made it stale; an expired certificate may be what keeps it so. Each reason is told
    // once, for members that fail in turn give theirs for as long as it lasts.
    if (!this.#stale?.reasons || this.#stale.reasons.has(error.message)) return;
    this.#stale.reasons.add(error.message);
    this.#stale = { ...this.#stale, error };
    this.#publishSoon();
  }

  silent(error: Error): void {
    if (this.#stale) return;
    const { clock } = this.#environment;
    const reasons = new Set([error.message]);
    this.#stale = { error, sinceEpochMs: clock.epochMs(), sinceMs: clock.nowMs(), reasons };
    this.#retained.suspend();
    this.#warn(
      this.#position
        ? `is stale, its last ${this.#table.instances().length} instances stay in use: ${error.message}`
        : `is not known yet: ${error.message}`,
    );
    this.#publishSoon();
  }

  /** The last view: what was known may still be used, but nothing keeps it true from here on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pause?.cancel();
    this.#retained.close();
    const { clock } = this.#environment;
    const error = new RollcallError("CLOSED", "the registry is closed");
    this.#obstacle = error;
    this.#stale = { error, sinceEpochMs: clock.epochMs(), sinceMs: clock.nowMs() };
    this.#membership.set(this.#view());
  }

  #publishSoon(): void {
    if (this.#pause) this.#waiting = true;
    else this.#publish();
  }

  #publish(): void {
    const view = this.#view();
    if (sameView(view, this.#membership.current)) return;
    // Told before the pause is begun: in a process that was idle, starting a timer takes longer than making the view.
    this.#membership.set(view);
    publishMembership({ service: this.#service, membership: view });
    if (!this.#closed) this.#pause = this.#environment.clock.after(VIEW_EVERY_MS, () => this.#pauseOver());
  }

  #pauseOver(): void {
    this.#pause = undefined;
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#publish();
  }

  #view(): Membership {
    if (!this.#position) return { state: "pending", ...(this.#obstacle && { error: this.#obstacle }) };
    const instances = this.#table.instances();
    const difference = this.#table.takeDifference();
    // What a first view holds did not come: nothing is known of before.
    if (difference && this.#membership.current.state !== "pending") this.#retained.changed(difference);
    const { revision, epoch } = this.#position;
    const retained = this.#retained.current;
    if (!this.#stale) return { state: "live", instances, retained, revision, epoch };
    const { error, sinceEpochMs } = this.#stale;
    return { state: "stale", instances, retained, revision, epoch, error, sinceEpochMs };
  }

  /** One line for a report that brought entries which cannot be read, with one of them as the example. */
  #tellSkipped(): void {
    const { size } = this.#table.skipped;
    if (size > this.#skippedBefore) {
      const [key, reason] = [...this.#table.skipped].at(-1) ?? [];
      this.#warn(`leaves out ${size} of its entries, which cannot be read; ${key}: ${reason}`);
    }
    this.#skippedBefore = size;
  }

  #warn(what: string): void {
    this.#environment.logger.warn(`the view of "${this.#service}" ${what}`);
  }
}

/** Whether two views say the same; the table gives one array as long as its instances are the same. */
function sameView(a: Membership, b: Membership): boolean {
  if (a.state !== b.state || errorOf(a) !== errorOf(b)) return false;
  if (a.state === "pending" || b.state === "pending") return true;
  return a.instances === b.instances && a.retained === b.retained && a.epoch === b.epoch;
}

/** In words: each try brings a new error, and most of them say the same. */
function errorOf(view: Membership): string | undefined {
  return view.state === "live" ? undefined : view.error?.message;
}

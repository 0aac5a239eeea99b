/**
 * The brake on mass deletion: which instances to keep as a last resort when most of a service vanishes from its registry at
 * once. Pure: it is told what changed and when, and says who is retained.
 *
 * Why: a registry that lost its data, a mass expiry of leases and a prefix deleted by mistake look to a client exactly like
 * a service that was shut down, and the servers behind it still run. To believe the registry would end every call; to call
 * an address that is really gone costs one refused connection. (Eureka's self-preservation, Envoy's panic threshold; how
 * this differs: docs/decisions/0012-the-brake-on-mass-deletion.md.)
 *
 * The rule: of the instances that were there `windowMs` ago, or came since and are gone again, more than half are gone, and
 * there were at least `minInstances`. Whoever came since does not count, for a registry that was restored from yesterday's
 * backup has as many instances as before, and all of them may be wrong.
 */
import { RollcallError } from "../errors.js";
import { byId, type Instance } from "../instance.js";
import { refuseUnknownOptions } from "../known-options.js";

export interface MassDeletionBrakeOptions {
  /**
   * How close together instances must vanish to count as one mass deletion; default 10,000 ms. Leases that were renewed
   * every 10 s, of a TTL of 30 s, expire within as much.
   */
  readonly windowMs?: number | undefined;
  /**
   * The fewest instances of which more than half must vanish; default 4. With three, two servers that are stopped for a good
   * reason would count.
   */
  readonly minInstances?: number | undefined;
  /**
   * How long an instance is retained that is not registered again; default 300,000 ms. Servers of rollcall are back within
   * seconds, those of clients that look every 30 s within a minute, and a backup is restored within minutes.
   */
  readonly graceMs?: number | undefined;
}

/** All of `MassDeletionBrakeOptions`. */
export interface MassDeletionRule {
  readonly windowMs: number;
  readonly minInstances: number;
  readonly graceMs: number;
}

const DEFAULTS: MassDeletionRule = { windowMs: 10_000, minInstances: 4, graceMs: 300_000 };
const OFF: MassDeletionRule = { windowMs: 0, minInstances: Number.POSITIVE_INFINITY, graceMs: 0 };
const KNOWN = { windowMs: true, minInstances: true, graceMs: true } as const;

/** The rule that the options make; `false` is one that is never met. Throws `INVALID_ARGUMENT`. */
export function massDeletionRule(options: MassDeletionBrakeOptions | false = {}): MassDeletionRule {
  if (options === false) return OFF;
  refuseUnknownOptions("massDeletionBrake", options, KNOWN);
  const { windowMs = DEFAULTS.windowMs, minInstances = DEFAULTS.minInstances, graceMs = DEFAULTS.graceMs } = options;
  for (const [name, durationMs] of Object.entries({ windowMs, graceMs })) {
    if (!(durationMs > 0))
      throw invalid(`\`massDeletionBrake.${name}\` is ${durationMs}: give milliseconds, more than 0`);
  }
  if (!(minInstances >= 1 && Number.isInteger(minInstances))) {
    throw invalid(
      `\`massDeletionBrake.minInstances\` is ${minInstances}: give a whole number of instances, at least 1`,
    );
  }
  return { windowMs, minInstances, graceMs };
}

/** How a set of instances differs from the one before it. */
export interface Difference {
  readonly gone: readonly Instance[];
  readonly come: readonly Instance[];
  /** How many instances there are now. */
  readonly present: number;
}

interface Dated {
  readonly instance: Instance;
  readonly sinceMs: number;
}

interface Gone extends Dated {
  /** Whether it had come within the window. */
  readonly wasNew: boolean;
}

const NONE: readonly Instance[] = Object.freeze([]);

/** A change of `n` instances costs O(n), whatever the size of the set; only while some are retained it costs their number. */
export class MassDeletionBrake {
  readonly #rule: MassDeletionRule;
  // Each in order of time, because a change puts its instances at the end. Whose time is over is forgotten only when it
  // matters: until then they can but make the brake look more closely, and to look each time would be most of its cost.
  /** Who came within the window, and some before it. */
  readonly #come = new Map<string, Dated>();
  /** Who vanished within the window and is not back, and some who vanished before it. */
  readonly #gone = new Map<string, Gone>();
  readonly #held = new Map<string, Dated>();
  #retained = NONE;

  constructor(rule: MassDeletionRule) {
    this.#rule = rule;
  }

  /** By id; the same array as long as it is the same. */
  get retained(): readonly Instance[] {
    return this.#retained;
  }

  /** When the grace time of the next one is over; infinite while none is retained. */
  get releaseMs(): number {
    const [first] = this.#held.values();
    return first === undefined ? Number.POSITIVE_INFINITY : first.sinceMs + this.#rule.graceMs;
  }

  changed({ gone, come, present }: Difference, nowMs: number): void {
    const before = this.#held.size;
    const startMs = nowMs - this.#rule.windowMs;
    for (const instance of gone) {
      const came = take(this.#come, instance.id, startMs);
      this.#gone.delete(instance.id);
      // Who said that it drains went on purpose.
      if (!instance.draining) this.#gone.set(instance.id, { instance, sinceMs: nowMs, wasNew: came !== undefined });
    }
    let freed = false;
    for (const instance of come) {
      freed = this.#held.delete(instance.id) || freed;
      const left = take(this.#gone, instance.id, startMs);
      this.#come.delete(instance.id);
      if (left?.wasNew ?? true) this.#come.set(instance.id, { instance, sinceMs: nowMs });
    }
    freed = this.#freeAddresses(come) || freed;
    if (this.#mostAreGone(present)) {
      for (const dated of [this.#come, this.#gone]) forgetUntil(dated, startMs);
      if (this.#mostAreGone(present)) this.#hold(present, nowMs);
    }
    if (freed || this.#held.size !== before) this.#list();
  }

  /** Lets go of those whose grace time is over; returns how many. */
  release(nowMs: number): number {
    let released = 0;
    for (const [id, { sinceMs }] of this.#held) {
      if (sinceMs + this.#rule.graceMs > nowMs) break;
      this.#held.delete(id);
      released += 1;
    }
    if (released > 0) this.#list();
    return released;
  }

  /** Lets the time since `fromMs` not count for the grace time: the registry could not be heard, so nobody could come back. */
  extend(fromMs: number, nowMs: number): void {
    for (const [id, { instance, sinceMs }] of this.#held) {
      this.#held.set(id, { instance, sinceMs: Math.min(nowMs, sinceMs + nowMs - fromMs) });
    }
  }

  #mostAreGone(present: number): boolean {
    const stayed = present - this.#come.size;
    return this.#gone.size > stayed;
  }

  #hold(present: number, nowMs: number): void {
    const stayed = present - this.#come.size;
    if (this.#gone.size + stayed < this.#rule.minInstances) return;
    for (const [id, { instance }] of this.#gone) {
      if (!this.#held.has(id)) this.#held.set(id, { instance, sinceMs: nowMs });
    }
  }

  /** An instance may come back under another key. */
  #freeAddresses(come: readonly Instance[]): boolean {
    if (this.#held.size === 0 || come.length === 0) return false;
    const addresses = new Set(come.map(({ address }) => address));
    let freed = false;
    for (const held of [this.#held, this.#gone]) {
      for (const [id, { instance }] of held) {
        if (addresses.has(instance.address)) freed = held.delete(id) || freed;
      }
    }
    return freed;
  }

  #list(): void {
    this.#retained = this.#held.size === 0 ? NONE : [...this.#held.values()].map(({ instance }) => instance).sort(byId);
  }
}

function invalid(message: string): RollcallError {
  return new RollcallError("INVALID_ARGUMENT", message);
}

/** Takes `id` out, and gives what was known of it unless that was over at `startMs`. */
function take<D extends Dated>(dated: Map<string, D>, id: string, startMs: number): D | undefined {
  const found = dated.get(id);
  if (found === undefined) return undefined;
  dated.delete(id);
  return found.sinceMs > startMs ? found : undefined;
}

function forgetUntil(dated: Map<string, Dated>, startMs: number): void {
  for (const [id, { sinceMs }] of dated) {
    if (sinceMs > startMs) break;
    dated.delete(id);
  }
}

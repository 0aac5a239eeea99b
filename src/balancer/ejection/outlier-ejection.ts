/**
 * Outlier ejection: an endpoint that fails more than its share of calls gets none for a while, then one call as a probe.
 *
 * Each address has its own `Health`; here is what concerns all of them: how many may be ejected, panic, and whose turn it is
 * to be probed. The thresholds are absolute, as Finagle's and Linkerd's are: a rule relative to the others' spread sees
 * nothing once a fifth of them fails (docs/decisions/0017-when-an-endpoint-is-ejected.md).
 */
import { equalJitter } from "../../backoff.js";
import type { Clock } from "../../clock.js";
import type { Availability } from "../../endpoints/endpoint.js";
import type { Live } from "../../live.js";
import type { Random } from "../../random.js";
import type { PickContext, Picker } from "../strategy.js";
import type { EjectionReport } from "./ejection-report.js";
import type { EjectionRule } from "./ejection-rule.js";
import { Health, type Member, type Ward } from "./health.js";
import type { HealthEvent } from "./health-machine.js";

/** What is known of a call that may be a probe. */
export interface ProbeContext extends PickContext {
  readonly idempotent?: boolean | undefined;
}

export interface EjectionEnvironment {
  readonly rule: EjectionRule;
  readonly availability: Live<Availability>;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: EjectionReport;
}

/** How long a probe waits for a call that would be tried again if it failed; then any call will do. */
const WAIT_FOR_IDEMPOTENT_MS = 1_000;

export class OutlierEjection<M extends Member> implements Ward<M>, Disposable {
  readonly rule: EjectionRule;
  invitedMs = Number.NEGATIVE_INFINITY;
  readonly #environment: EjectionEnvironment;
  readonly #subscription: Disposable;
  /** Of addresses in the set. */
  readonly #ejected = new Set<Health<M>>();
  #panicking = false;
  /** When the first of those that are ready may be probed. */
  #nextProbeMs = Number.POSITIVE_INFINITY;
  #registered = 0;
  #retained = 0;
  /** Of those that take calls: how many are ejected, and how many are ready and not ejected. */
  #out = 0;
  #usable = 0;

  constructor(environment: EjectionEnvironment) {
    this.rule = environment.rule;
    this.#environment = environment;
    this.#subscription = environment.availability.subscribe(() => this.#lookAround());
  }

  get panicking(): boolean {
    return this.#panicking;
  }

  healthOf(address: string): Health<M> {
    return new Health(address, this);
  }

  /** `member` is in the set from now on, or in the place of an equal one. */
  joined(health: Health<M>, member: M): void {
    health.member = member;
    if (!health.trusted) this.#ejected.add(health);
  }

  left(health: Health<M>): void {
    health.member = undefined;
    this.#ejected.delete(health);
  }

  /** The set is complete again. What this means is looked at when the availability follows. */
  settled(members: readonly M[]): void {
    const retained = members.findIndex(({ endpoint }) => endpoint.retained); // they are the last, see `byPlace`
    this.#registered = retained < 0 ? members.length : retained;
    this.#retained = members.length - this.#registered;
  }

  /** Picks for `call`: those whose probe is due are among the candidates, if it is a call that may probe them. */
  pick(picker: Picker<M>, call: ProbeContext): M | undefined {
    if (this.#nextProbeMs === Number.POSITIVE_INFINITY) return picker(call);
    const harmless = call.idempotent === true && (call.exclude === undefined || call.exclude.size === 0);
    this.invitedMs = this.nowMs() - (harmless ? 0 : WAIT_FOR_IDEMPOTENT_MS);
    try {
      return picker(call);
    } finally {
      this.invitedMs = Number.NEGATIVE_INFINITY;
    }
  }

  nowMs(): number {
    return this.#environment.clock.nowMs();
  }

  ejectionMs(number: number): number {
    return equalJitter(this.rule.ejection, number, this.#environment.random);
  }

  canSpare({ member }: Health<M>): boolean {
    const others = this.#usable - (member?.takesCalls ? 1 : 0);
    return others > 0 && this.#out + 1 <= this.rule.maxEjected * this.#size;
  }

  /** What ailed it may have ailed all, as a database that was down: nobody waits for the end of an ejection that grew meanwhile. */
  recovered(health: Health<M>): void {
    for (const other of this.#ejected) if (other !== health) other.probeSoon();
    this.#lookAround();
  }

  moved(health: Health<M>, event: HealthEvent, reason: string): void {
    if (health.trusted) this.#ejected.delete(health);
    else if (health.member !== undefined) this.#ejected.add(health);
    if (event !== "probed" && event !== "void") {
      const { address, ejectedMs, probeMs } = health;
      const now = { address, ejected: this.#ejected.size, total: this.#size };
      const { report } = this.#environment;
      if (event === "passed") report.returned({ ...now, afterMs: this.nowMs() - ejectedMs });
      else report.ejected({ ...now, reason, forMs: probeMs - this.nowMs(), again: event === "failed" });
    }
    if (event === "passed") this.recovered(health);
    else this.#lookAround();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  /** How many there are of those that take calls now. */
  get #size(): number {
    return this.#environment.availability.current.lastResort ? this.#retained : this.#registered;
  }

  /** After every change of who is ejected or ready, so that a pick and a candidate's `usable` cost nothing. */
  #lookAround(): void {
    const { ready, connecting, lastResort } = this.#environment.availability.current;
    this.#out = 0;
    this.#usable = ready;
    this.#nextProbeMs = Number.POSITIVE_INFINITY;
    for (const health of this.#ejected) {
      const endpoint = health.member?.endpoint;
      if (endpoint === undefined || endpoint.retained !== lastResort) continue;
      health.connectionIs(endpoint.state);
      this.#out += 1;
      if (endpoint.state !== "ready") continue;
      this.#usable -= 1;
      this.#nextProbeMs = Math.min(this.#nextProbeMs, health.probeMs);
    }
    this.#panic(ready - this.#usable, this.#size - connecting);
  }

  /** Who connects is counted neither way: a set that grows is not in panic for as long as its new endpoints take. */
  #panic(readyButOut: number, decided: number): void {
    const panicking = readyButOut > 0 && (this.#usable === 0 || this.#usable < this.rule.panicThreshold * decided);
    if (panicking === this.#panicking) return;
    this.#panicking = panicking;
    this.#environment.report.panic({ panicking, usable: this.#usable, total: this.#size });
  }
}

/** The health of one address: hears how its calls end, and knows when to probe it. Without allocations per call. */
import type { Endpoint, EndpointState } from "../../endpoints/endpoint.js";
import type { Outcome } from "../../outcome.js";
import type { InFlight } from "../meter.js";
import type { EjectionRule } from "./ejection-rule.js";
import { type HealthEvent, type HealthState, transition } from "./health-machine.js";
import { SuccessWindow } from "./success-window.js";
import { verdictOf } from "./verdict.js";

/** Whom the health is of, while the address is in the set. */
export interface Member {
  readonly address: string;
  readonly endpoint: Pick<Endpoint<unknown>, "state" | "retained" | "connection">;
  /** Whether calls could be placed on it now, ejected or not. */
  readonly takesCalls: boolean;
}

/** The others of the set, as a health sees them. */
export interface Ward<M extends Member> {
  readonly rule: EjectionRule;
  /** True while ejections are ignored. */
  readonly panicking: boolean;
  /** During a pick: it may be a probe of those whose probe was due by then. */
  readonly invitedMs: number;
  nowMs(): number;
  /** How long the ejection of that number lasts, from 1. */
  ejectionMs(number: number): number;
  /** Whether one more may be ejected. */
  canSpare(health: Health<M>): boolean;
  /** `health`, as bad as those that are ejected, works again. */
  recovered(health: Health<M>): void;
  /** `reason`, of an ejection: why. */
  moved(health: Health<M>, event: HealthEvent, reason: string): void;
}

export class Health<M extends Member> {
  readonly address: string;
  /** Absent while the address is not in the set. */
  member: M | undefined;
  /** Since when it is in its state; calls that began before say nothing of it. */
  sinceMs = Number.NEGATIVE_INFINITY;
  /** When it was ejected, however often it was probed since. */
  ejectedMs = Number.NEGATIVE_INFINITY;
  /** From when on a call may probe it, while it is not trusted. */
  probeMs = Number.POSITIVE_INFINITY;
  readonly #ward: Ward<M>;
  readonly #window: SuccessWindow;
  #state: HealthState = "trusted";
  #failuresInARow = 0;
  /** Of successive ejections; good service takes it back. */
  #number = 0;
  #probe: InFlight | undefined;
  #wasUnready = false;

  constructor(address: string, ward: Ward<M>) {
    this.address = address;
    this.#ward = ward;
    this.#window = new SuccessWindow(ward.rule.windowMs);
  }

  get trusted(): boolean {
    return this.#state === "trusted";
  }

  /** Whether it should get calls as the others do. */
  get admitted(): boolean {
    return this.#state === "trusted" || this.invited || this.#ward.panicking;
  }

  /** Whether the pick in progress should rather be its probe. */
  get invited(): boolean {
    return this.probeMs <= this.#ward.invitedMs;
  }

  /** `call` was placed on it. The first one after an ejection is the probe, whoever chose it. */
  began(call: InFlight): void {
    if (this.#state === "trusted" || call.startedMs < this.probeMs) return;
    this.#probe = call;
    this.probeMs = call.startedMs + this.#ward.ejectionMs(this.#number);
    this.#become("probed");
  }

  /** `call` goes on, and its answer has begun. */
  answered(call: InFlight): void {
    if (call === this.#probe) this.#readmit();
  }

  ended(call: InFlight, outcome: Outcome): void {
    if (this.member === undefined) return;
    if (this.#state !== "trusted" && call !== this.#probe) return;
    const verdict = verdictOf(outcome, this.member.endpoint);
    if (call === this.#probe) {
      if (verdict === "none") this.#voidProbe();
      else if (verdict === "bad" || verdict === "late") this.#eject("failed", `its probe failed${named(outcome)}`);
      else this.#readmit();
    } else if (call.startedMs >= this.sinceMs) {
      if (verdict === "good" || verdict === "bad") this.#count(verdict === "good", outcome);
      else if (verdict === "late") this.#addToRow(outcome);
    }
  }

  /**
   * Told of its connection while it is ejected. Where nobody could be reached for a while there may be another process now:
   * it is probed as soon as after a first ejection, but not at once, for all clients see it come back in the same moment.
   */
  connectionIs(state: EndpointState): void {
    if (state === "ready" && this.#wasUnready) this.probeSoon();
    this.#wasUnready = state === "unready" || (this.#wasUnready && state === "connecting");
  }

  /** No later than after a first ejection. */
  probeSoon(): void {
    this.probeMs = Math.min(this.probeMs, this.#ward.nowMs() + this.#ward.ejectionMs(1));
  }

  #count(success: boolean, outcome: Outcome): void {
    const { consecutiveFailures, minCalls, minSuccessRate, windowMs } = this.#ward.rule;
    this.#window.add(success, this.#ward.nowMs());
    if (success) {
      const spared = this.#failuresInARow >= consecutiveFailures; // it should have been ejected, and was needed
      this.#failuresInARow = 0;
      if (spared) this.#ward.recovered(this);
      return;
    }
    if (this.#addToRow(outcome)) return;
    const { failures, successes, successRate } = this.#window;
    const calls = failures + successes;
    if (calls >= minCalls && successRate < minSuccessRate) {
      this.#trip(`${failures} of ${calls} calls failed within ${windowMs / 1_000} s${named(outcome)}`);
    }
  }

  /** Whether the row is long enough to be a reason by itself. */
  #addToRow(outcome: Outcome): boolean {
    this.#failuresInARow += 1;
    if (this.#failuresInARow < this.#ward.rule.consecutiveFailures) return false;
    this.#trip(`${this.#failuresInARow} failures in a row${named(outcome)}`);
    return true;
  }

  #trip(reason: string): void {
    if (!this.#ward.canSpare(this)) return;
    // Each window of good service takes one ejection back (Envoy: each interval).
    const servedMs = this.#ward.nowMs() - this.sinceMs;
    this.#number = Math.max(0, this.#number - Math.floor(servedMs / this.#ward.rule.windowMs));
    this.ejectedMs = this.#ward.nowMs();
    this.#eject("tripped", reason);
  }

  #eject(event: "tripped" | "failed", reason: string): void {
    const { baseMs, maxMs } = this.#ward.rule.ejection;
    // No further than the longest ejection, so that it is taken back as soon as it may be.
    if (baseMs * 2 ** (this.#number - 1) < maxMs) this.#number += 1;
    this.#probe = undefined;
    this.#wasUnready = false;
    this.probeMs = this.#ward.nowMs() + this.#ward.ejectionMs(this.#number);
    this.#become(event, reason);
  }

  #voidProbe(): void {
    this.#probe = undefined;
    this.probeMs = this.#ward.nowMs();
    this.#become("void");
  }

  /** It starts afresh: for what it did before it has been ejected. */
  #readmit(): void {
    this.#probe = undefined;
    this.probeMs = Number.POSITIVE_INFINITY;
    this.#failuresInARow = 0;
    this.#window.clear();
    this.#become("passed");
  }

  #become(event: HealthEvent, reason = ""): void {
    const state = transition(this.#state, event);
    if (state === undefined) return;
    this.#state = state;
    this.sinceMs = this.#ward.nowMs();
    this.#ward.moved(this, event, reason);
  }
}

function named({ code }: Outcome): string {
  return code === undefined ? "" : `, the last with ${code}`;
}

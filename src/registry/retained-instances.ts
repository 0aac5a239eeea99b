/**
 * The brake on mass deletion at work on one view: it keeps the grace time, and says when it engages and when it lets go.
 * Which instances are retained is decided in `mass-deletion.ts`.
 */
import type { Clock, Timer } from "../clock.js";
import type { Instance } from "../instance.js";
import type { Logger } from "../logger.js";
import { publishMassDeletion } from "../observe/events.js";
import { type Difference, MassDeletionBrake, type MassDeletionRule } from "./mass-deletion.js";

export interface RetentionEnvironment {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rule: MassDeletionRule;
  readonly service: string;
  /** Told when the grace time ends a retention; changes of the view are its owner's own. */
  readonly onRelease: () => void;
}

export class RetainedInstances {
  readonly #environment: RetentionEnvironment;
  readonly #brake: MassDeletionBrake;
  #engaged = false;
  /** Who was not registered again within the grace time, since the brake engaged. */
  #lapsed = 0;
  #grace: Timer | undefined;
  /** Since when the registry is not heard, so that nobody can be registered again. */
  #suspendedMs: number | undefined;

  constructor(environment: RetentionEnvironment) {
    this.#environment = environment;
    this.#brake = new MassDeletionBrake(environment.rule);
  }

  /** By id; the same array as long as it is the same. */
  get current(): readonly Instance[] {
    return this.#brake.retained;
  }

  /** `agoMs`: how long ago it changed at least, for what happened before this process looked. */
  changed(difference: Difference, agoMs = 0): void {
    if (agoMs >= this.#environment.rule.graceMs) return;
    this.#brake.changed(difference, this.#environment.clock.nowMs() - agoMs);
    this.#follow(difference.present, agoMs);
  }

  /** Keeps everybody until `resume()`. */
  suspend(): void {
    this.#suspendedMs ??= this.#environment.clock.nowMs();
    this.#stopTimer();
  }

  /** The registry is heard again: the grace time goes on. */
  resume(): void {
    const fromMs = this.#suspendedMs;
    if (fromMs === undefined) return;
    this.#suspendedMs = undefined;
    if (!this.#engaged) return;
    this.#brake.extend(fromMs, this.#environment.clock.nowMs());
    this.#startTimer();
  }

  /** Nothing is said from here on. */
  close(): void {
    this.suspend();
  }

  #follow(present: number, agoMs: number): void {
    const { length } = this.current;
    if (length > 0 && !this.#engaged) this.#engage(length, present, agoMs);
    else if (length === 0 && this.#engaged) this.#letGo();
  }

  #engage(vanished: number, present: number, agoMs: number): void {
    const { windowMs, graceMs } = this.#environment.rule;
    this.#engaged = true;
    this.#lapsed = 0;
    this.#startTimer();
    const [window, grace] = [seconds(agoMs || windowMs), seconds(graceMs - agoMs)];
    const loss = `lost ${vanished} instances within ${window}`;
    this.#say("engaged", `${loss}, ${present} are left; the lost are retained as a last resort for ${grace}`);
  }

  #letGo(): void {
    this.#engaged = false;
    this.#stopTimer();
    const fate = this.#lapsed === 0 ? "all are registered again" : `${this.#lapsed} were not registered again`;
    this.#say("released", `retains no lost instance any more: ${fate}`);
  }

  #say(state: "engaged" | "released", what: string): void {
    const { logger, service } = this.#environment;
    logger.warn(`the view of "${service}" ${what}`);
    publishMassDeletion({ service, state, retained: this.current, lapsed: this.#lapsed });
  }

  #startTimer(): void {
    if (this.#suspendedMs !== undefined || this.#grace) return;
    const { clock } = this.#environment;
    this.#grace = clock.after(this.#brake.releaseMs - clock.nowMs(), () => this.#graceOver());
  }

  #graceOver(): void {
    this.#grace = undefined;
    const released = this.#brake.release(this.#environment.clock.nowMs());
    this.#lapsed += released;
    if (this.current.length === 0) this.#letGo();
    else this.#startTimer();
    if (released > 0) this.#environment.onRelease();
  }

  #stopTimer(): void {
    this.#grace?.cancel();
    this.#grace = undefined;
  }
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 100) / 10} s`;
}

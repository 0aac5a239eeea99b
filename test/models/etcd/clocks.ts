/** Clocks that do not always go: of a process that is stopped, and of a cluster without a leader. */
import type { Clock, Timer } from "../../../src/clock.js";

/**
 * The clock of one process. While it sleeps (SIGSTOP, a laptop's lid) time goes on, and what rings or arrives is heard on
 * waking, in order. Its wall clock can be set, as an administrator or NTP does.
 */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  #wallJumpMs = 0;
  #asleep = false;
  #missed: (() => void)[] = [];
  #pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  epochMs(): number {
    return this.#clock.epochMs() + this.#wallJumpMs;
  }

  /** How many timers of the process wait, or rang while it was asleep. */
  get pendingTimers(): number {
    return this.#pending;
  }

  get isAsleep(): boolean {
    return this.#asleep;
  }

  after(delayMs: number, callback: () => void): Timer {
    let over = false;
    this.#pending += 1;
    const finish = (): boolean => {
      if (over) return false;
      over = true;
      this.#pending -= 1;
      return true;
    };
    const timer = this.#clock.after(delayMs, () =>
      this.hear(() => {
        if (finish()) callback();
      }),
    );
    return {
      cancel() {
        if (finish()) timer.cancel();
      },
    };
  }

  /** Runs `callback` now, or when the process wakes. */
  hear(callback: () => void): void {
    if (this.#asleep) this.#missed.push(callback);
    else callback();
  }

  jumpWall(byMs: number): void {
    this.#wallJumpMs += byMs;
  }

  sleep(): void {
    this.#asleep = true;
  }

  /** Node runs what is due one after the other, and what each settles before the next. */
  async wake(): Promise<void> {
    this.#asleep = false;
    const missed = this.#missed;
    this.#missed = [];
    for (const callback of missed) {
      callback();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** The time by which leases run out: it stands still while there is no leader to end them. */
export class LeaseClock implements Clock {
  readonly #clock: Clock;
  #stoodMs = 0;
  #stoppedAtMs: number | undefined;
  #missed: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return (this.#stoppedAtMs ?? this.#clock.nowMs()) - this.#stoodMs;
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    let over = false;
    const ring = () => {
      if (over) return;
      if (this.#stoppedAtMs === undefined) callback();
      else this.#missed.push(ring);
    };
    const timer = this.#clock.after(delayMs, ring);
    return {
      cancel() {
        over = true;
        timer.cancel();
      },
    };
  }

  stop(): void {
    this.#stoppedAtMs ??= this.#clock.nowMs();
  }

  go(): void {
    if (this.#stoppedAtMs === undefined) return;
    this.#stoodMs += this.#clock.nowMs() - this.#stoppedAtMs;
    this.#stoppedAtMs = undefined;
    const missed = this.#missed;
    this.#missed = [];
    for (const ring of missed) ring();
  }
}

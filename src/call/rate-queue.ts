/** A bucket of tokens, and the calls that wait for one, first come first served. */
import { AsyncResource } from "node:async_hooks";
import type { Clock, Timer } from "../clock.js";
import { deadlineAfter } from "../deadline-queue.js";
import { RollcallError } from "../errors.js";
import { cancelled, type Outcome } from "../outcome.js";
import type { Call, CallContext, CallOptions, RunningAttempt } from "./call.js";

export class RateQueue {
  readonly #perMs: number;
  readonly #size: number;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #tokens: number;
  #filledMs: number;
  #timer: Timer | undefined;

  constructor(perSecond: number, size: number, clock: Clock) {
    this.#perMs = perSecond / 1_000;
    this.#size = size;
    this.#clock = clock;
    this.#tokens = size;
    this.#filledMs = clock.nowMs();
  }

  /** A token, if there is one and nobody waits for it. */
  take(): boolean {
    this.#fill();
    if (this.#waiting.size > 0 || this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Makes the call when its turn comes; where that would be after its deadline, rejects at once. */
  join<C, R>(
    next: Call<C>,
    operation: (client: C, context: CallContext) => Promise<R>,
    options: CallOptions,
    tooLate: () => RollcallError,
  ): Promise<R> {
    const { signal, attempt } = options;
    const startedMs = this.#clock.nowMs();
    // The time of one attempt among several begins when it has its endpoint.
    const deadlineMs = attempt?.deadlineMs ?? deadlineAfter(startedMs, options.timeoutMs);
    const turnMs = startedMs + (this.#waiting.size + 1 - this.#tokens) / this.#perMs;
    if (turnMs >= deadlineMs) return Promise.reject(tooLate());
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(go);
        if (this.#waiting.size === 0) this.#rest();
        signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        leave();
        reject(new RollcallError("CANCELLED", "the call was cancelled", { cause: signal?.reason }));
      };
      // In the caller's context: the timer is shared.
      const go = AsyncResource.bind(() => {
        leave();
        const leftMs = Math.max(0, deadlineMs - this.#clock.nowMs());
        const timeoutMs = attempt === undefined ? leftMs : options.timeoutMs;
        next(operation, { ...options, timeoutMs }).then(resolve, reject);
      });
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort);
      if (attempt !== undefined) {
        attempt.running = new WaitingAttempt(startedMs, (reason) => {
          leave();
          reject(reason);
        });
      }
      this.#waiting.add(go);
      this.#wake();
    });
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fill(): void {
    const nowMs = this.#clock.nowMs();
    this.#tokens = Math.min(this.#size, this.#tokens + (nowMs - this.#filledMs) * this.#perMs);
    this.#filledMs = nowMs;
  }

  /** Lets those go whose turn it is, and comes back for the next. */
  #wake(): void {
    if (this.#timer !== undefined || this.#waiting.size === 0) return;
    const delayMs = Math.max(0, Math.ceil((1 - this.#tokens) / this.#perMs));
    this.#timer = this.#clock.after(
      delayMs,
      () => {
        this.#timer = undefined;
        this.#fill();
        for (const go of this.#waiting) {
          if (this.#tokens < 1) break;
          this.#tokens -= 1;
          go();
        }
        this.#wake();
      },
      { hold: true },
    );
  }
}

/** An attempt in the eyes of `retry`, which has no endpoint before its turn. */
class WaitingAttempt implements RunningAttempt {
  readonly address = undefined;
  readonly startedMs: number;
  readonly held = undefined;
  outcome: Outcome | undefined;
  error: Error | undefined;
  readonly #leave: (reason: Error) => void;

  constructor(startedMs: number, leave: (reason: Error) => void) {
    this.startedMs = startedMs;
    this.#leave = leave;
  }

  suspect(): void {}

  cancel(reason: Error, outcome: Outcome = cancelled): void {
    this.outcome = outcome;
    this.error = reason;
    this.#leave(reason);
  }
}

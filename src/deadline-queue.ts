/**
 * Deadlines without a timer each.
 *
 * Nearly every deadline is met, so what counts is the cost of one that never comes due. A heap whose entries know their
 * place costs a comparison or two to enter and to leave; one timer waits for the earliest, and is left to run when that
 * entry leaves: it then finds out what is next.
 */
import type { Clock, Timer } from "./clock.js";
import { RollcallError, reportStray } from "./errors.js";
import { TimeHeap, type TimeHeapEntry } from "./time-heap.js";

/** Something with a deadline. While it is queued, `queuePosition` belongs to the queue and `dueMs` stands still. */
export interface Deadline extends TimeHeapEntry {
  /** Runs once, when it is no longer queued. */
  due(): void;
}

/** When `timeoutMs` from `nowMs` will have passed; no timeout is `Infinity`. */
export function deadlineAfter(nowMs: number, timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  checkDuration("timeoutMs", timeoutMs);
  return nowMs + timeoutMs;
}

/** Refuses what is no duration: a negative number, or none at all. */
export function checkDuration(name: string, durationMs: number | undefined): void {
  if (durationMs === undefined || durationMs >= 0) return;
  throw new RollcallError("INVALID_ARGUMENT", `${name} must be a number of milliseconds from 0 on, not ${durationMs}`);
}

export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #queued = new TimeHeap<Deadline>();
  #timer: Timer | undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Queues `entry`; one that is due at `Infinity` is left out. */
  add(entry: Deadline): void {
    if (entry.dueMs === Number.POSITIVE_INFINITY) return;
    this.#queued.add(entry);
    if (entry.dueMs < this.#timerMs) this.#arm(entry.dueMs);
  }

  /** Does nothing when it is not queued. */
  remove(entry: Deadline): void {
    this.#queued.remove(entry);
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#timerMs = dueMs;
    this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.nowMs()), () => this.#expire());
  }

  #expire(): void {
    this.#timer = undefined;
    this.#timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    for (let { first } = this.#queued; first !== undefined; first = this.#queued.first) {
      if (first.dueMs > nowMs) {
        this.#arm(first.dueMs);
        break;
      }
      this.remove(first);
      try {
        first.due();
      } catch (error) {
        reportStray(error); // the others keep their time
      }
    }
  }
}

/** The attempts of one call that are under way, oldest first. */
import { cancelled, type Outcome, overtaken } from "../../outcome.js";
import type { AttemptTicket, RunningAttempt } from "../call.js";
import type { Hedging } from "./hedge.js";

export class Flight {
  readonly #tickets: AttemptTicket[] = [];
  /** Attempts that began before this have used their share of the call's time. */
  #usedUpMs = Number.NEGATIVE_INFINITY;

  get empty(): boolean {
    return this.#tickets.length === 0;
  }

  /** Those that tell of themselves. */
  get running(): readonly RunningAttempt[] {
    return this.#tickets.flatMap(({ running }) => running ?? []);
  }

  get newest(): RunningAttempt | undefined {
    return this.#tickets.at(-1)?.running;
  }

  /** Whether one of them still waits for an endpoint. */
  get waiting(): boolean {
    return this.#tickets.some(({ running }) => running !== undefined && running.address === undefined);
  }

  join(ticket: AttemptTicket): void {
    this.#tickets.push(ticket);
  }

  leave(ticket: AttemptTicket): void {
    this.#tickets.splice(this.#tickets.indexOf(ticket), 1);
  }

  /** Ends all of them, which leaves none. */
  cancel(reason: Error, outcome: Outcome): void {
    for (const ticket of this.#tickets.splice(0)) end(ticket, reason, outcome);
  }

  /** Ends all of them, which leaves none: another attempt has decided the call. */
  lose(reason: Error): void {
    for (const ticket of this.#tickets.splice(0)) {
      const usedUp = ticket.running !== undefined && ticket.running.startedMs < this.#usedUpMs;
      end(ticket, reason, usedUp ? overtaken : cancelled);
    }
  }

  /** The newest has used its share of the time, and the others with it. */
  useUp(nowMs: number): void {
    this.#usedUpMs = nowMs;
    this.suspect();
  }

  /** Tells each connection that nothing came for as long as its attempt runs. */
  suspect(): void {
    for (const { running } of this.#tickets) running?.suspect();
  }

  /** Takes note of how long each has taken: until the answer, until another had it, or until time was over. */
  measure(hedging: Hedging | undefined, method: string | undefined, nowMs: number): void {
    for (const { running } of this.#tickets) {
      if (running?.address !== undefined) hedging?.record(method, nowMs - running.startedMs, nowMs);
    }
  }
}

function end(ticket: AttemptTicket, reason: Error, outcome: Outcome): void {
  if (ticket.running === undefined) ticket.over = reason;
  else ticket.running.cancel(reason, outcome);
}

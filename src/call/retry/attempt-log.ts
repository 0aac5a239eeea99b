/** What a call has tried so far: where not to go again, and what to tell the caller when it fails. */
import { type Attempt, CallError, RollcallError, toError } from "../../errors.js";

/**
 * Of a call that is tried on and on, what it began with and what it ended with say enough, and in an outage thousands of
 * such lists exist at once.
 */
const LISTED = { first: 8, last: 8 };

export class AttemptLog {
  readonly #attempts: Attempt[] = [];
  #count = 0;
  #tried: ReadonlySet<string>;

  constructor(exclude: ReadonlySet<string> = new Set()) {
    this.#tried = exclude;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** The addresses to pass over. A set once given out does not change. */
  get tried(): ReadonlySet<string> {
    return this.#tried;
  }

  get lastError(): Error | undefined {
    return this.#attempts.at(-1)?.error;
  }

  failed(address: string, error: Error, elapsedMs: number): void {
    this.#count += 1;
    this.#attempts.push({ instance: address, error, elapsedMs });
    if (this.#attempts.length > LISTED.first + LISTED.last) this.#attempts.splice(LISTED.first, 1);
    this.passOver(address);
  }

  passOver(address: string): void {
    if (!this.#tried.has(address)) this.#tried = new Set(this.#tried).add(address);
  }

  /** The error of the whole call: its code is ours where the call ended for a reason of ours. */
  callError(final: unknown, idempotent: boolean): CallError {
    const ours = final instanceof RollcallError ? final : undefined;
    const count = this.#count === 1 ? "1 attempt" : `${this.#count} attempts`;
    const cause = ours?.cause ?? final;
    const last = this.#attempts.at(-1);
    // The last one may have had no answer at the deadline: then the cause is what an earlier one failed with.
    const earlier = last?.error === cause ? undefined : this.#attempts.findLast(({ error }) => error === cause);
    const before = earlier && `; before that, on ${earlier.instance}: ${earlier.error.message}`;
    const message = `the call failed after ${count}, the last on ${last?.instance}: ${toError(final).message}${before ?? ""}`;
    return new CallError(ours?.code ?? "CALL_FAILED", message, this.#attempts, { cause, idempotent });
  }
}

export function outOfTime(elapsedMs: number, cause: unknown): RollcallError {
  return new RollcallError("DEADLINE_EXCEEDED", `no answer within ${Math.round(elapsedMs)} ms`, { cause });
}

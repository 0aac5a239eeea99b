/** What went wrong, as a stable string to branch on. Each is explained in docs/reference/errors.md. */
export type ErrorCode =
  /** An argument or option cannot be used; the message says how to mend it. */
  | "INVALID_ARGUMENT"
  /** The registry could not be reached, or did not answer in time. */
  | "REGISTRY_UNAVAILABLE"
  /** The registry refused: wrong credentials or missing permission. */
  | "REGISTRY_DENIED"
  /** The registry answered something that cannot be right, or refused for a reason of its own. */
  | "REGISTRY_FAILED"
  /** The registry was heard and holds no instance of the service. */
  | "NO_INSTANCES"
  /** Instances are known and none of them can take a call now. */
  | "NO_USABLE_INSTANCES"
  /** The call's deadline passed. */
  | "DEADLINE_EXCEEDED"
  /** The caller's signal aborted. */
  | "CANCELLED"
  /** Every attempt failed; `attempts` lists them and `cause` is the last error. */
  | "CALL_FAILED"
  /** `throttle` refused the call, because the service is failing. */
  | "THROTTLED"
  /** `circuitBreaker` refused the call, because too many have failed. */
  | "CIRCUIT_OPEN"
  /** `concurrencyLimit` refused the call, because too many are in progress. */
  | "CONCURRENCY_LIMITED"
  /** `rateLimit` refused the call, because there were too many in a second. */
  | "RATE_LIMITED"
  /** The thing was used after it was closed. */
  | "CLOSED"
  /** The address that a server was to listen on is in use. */
  | "ADDRESS_IN_USE";

/** Carries the names of an error's classes; a subclass in another file lists its own with it. */
export const kinds: unique symbol = Symbol.for("rollcall.error.kinds");

/** The base of every error that rollcall throws. `instanceof` also holds across two copies of the package. */
export class RollcallError extends Error {
  /** The name under which `instanceof` knows the class in every copy; a subclass without one is known by its prototype. */
  protected static readonly kind: string = "RollcallError";
  readonly code: ErrorCode;
  readonly [kinds]: readonly string[] = ["RollcallError"];

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "RollcallError";
    this.code = code;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!Object.hasOwn(this, "kind")) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && kinds in value
      ? (value as RollcallError)[kinds].includes(this.kind) // the symbol is ours: only our classes carry it
      : false;
  }
}

/** One try of a call on one endpoint, as an error reports it. */
export interface Attempt {
  readonly instance: string;
  readonly error: Error;
  /** How long the attempt took, in milliseconds. */
  readonly elapsedMs: number;
}

/** A call that failed, with the attempts that were made for it, oldest first: of more than 16 the first 8 and the last 8. */
export class CallError extends RollcallError {
  protected static override readonly kind = "CallError";
  override readonly [kinds] = ["RollcallError", "CallError"];
  readonly attempts: readonly Attempt[];
  /** Whether the call could be repeated: then all that was worth trying has been tried. */
  readonly idempotent: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    attempts: readonly Attempt[],
    options?: { readonly cause?: unknown; readonly idempotent?: boolean },
  ) {
    super(code, message, options);
    this.idempotent = options?.idempotent ?? false;
    this.name = "CallError";
    this.attempts = attempts;
  }
}

/** For what a callback threw where nobody is left to be told: a process warning, so that it stops nothing and is not lost. */
export function reportStray(thrown: unknown): void {
  process.emitWarning(toError(thrown));
}

/** An error of unknown type as an `Error`. */
export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

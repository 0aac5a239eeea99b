/**
 * Step 4 of 4: a call. A `Call` runs an operation on a client that somebody else chooses; a `Layer` wraps a call in
 * another (go-kit's Middleware, Finagle's Filter).
 */
import type { Instance } from "../instance.js";
import type { Outcome } from "../outcome.js";

/**
 * Runs `operation` and settles as it does, at the latest when the deadline passes or the signal aborts, even when the
 * operation takes no notice of either.
 */
export type Call<C> = <R>(
  operation: (client: C, context: CallContext) => Promise<R>,
  options?: CallOptions,
) => Promise<R>;

export type Layer = <C>(next: Call<C>) => Call<C>;

export interface CallOptions {
  /** Cancels the call; the reason is what it rejects with, as `cause`. */
  readonly signal?: AbortSignal | undefined;
  /** The deadline of the whole call from now on, all attempts and waiting included; the earliest of several wins. */
  readonly timeoutMs?: number | undefined;
  /** Whether running the operation twice does no harm. Without it only what never reached a server is tried again. */
  readonly idempotent?: boolean | undefined;
  /** Calls with one key go to one endpoint, in strategies that hash, as `maglev()`; the others do not read it. (Envoy: `hash_policy`.) */
  readonly hashKey?: string | undefined;
  /** Addresses to pass over while others are left. */
  readonly exclude?: ReadonlySet<string> | undefined;
  /** Which of the service's calls it is, as the gRPC client's names of methods: each is hedged by its own latencies. */
  readonly method?: string | undefined;
  /** For layers: the attempt of a larger call that this call is. A layer that does not know it passes it on. */
  readonly attempt?: AttemptTicket | undefined;
  /** For layers: who is told how the call ended. A layer that does not know it passes it on. */
  readonly follower?: CallFollower | undefined;
}

/** What one attempt of a call knows of itself. */
export interface CallContext {
  readonly instance: Instance;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** When the attempt must have ended, on the balancer's monotonic clock; `Infinity` when it has no deadline. */
  readonly deadlineMs: number;
  /** Aborts when the attempt is cancelled or the deadline passes. Made when it is first read. */
  readonly signal: AbortSignal;
  /**
   * What `signal` tells, at a fraction of its cost, for transports that can cancel a call without one: `listener` runs once,
   * synchronously, when the attempt is cancelled; at once when it already was; never after its end.
   */
  onCancel(listener: (reason: Error) => void): void;
  /** For an operation that goes on after its promise resolved, as a stream does: the pick ends with this. No retry after it. */
  holdUntil(end: Promise<Outcome>): void;
}

/** How a layer follows a call to its end, which for a stream comes after its promise; see `follow`. */
export interface CallFollower {
  /** Set by whoever runs the call, before it settles: that `ended` will be called. */
  following: boolean;
  /** How the call ended; only the first time counts. */
  ended(outcome: Outcome): void;
}

/** How a layer that makes several attempts of one call follows each: it gives the ticket, the balancer fills it in. */
export interface AttemptTicket {
  /** 1 for the first attempt. */
  readonly number: number;
  /** When the whole call ends; `Infinity` when it has no deadline. */
  readonly deadlineMs: number;
  /** Set before the call returns its promise, or later by a layer that does something first. */
  running?: RunningAttempt;
  /** Why the call was over before there was a `running`: then the attempt is not made. */
  over?: Error;
}

/** An attempt, from the outside. */
export interface RunningAttempt {
  /** Where it runs; absent while it waits for an endpoint, and for good when it failed to get one. */
  readonly address: string | undefined;
  /** When it got its endpoint, or began to wait for one. */
  readonly startedMs: number;
  /** How it ended; absent before. */
  readonly outcome: Outcome | undefined;
  /** Why it failed, as the call rejects; absent otherwise. */
  readonly error: Error | undefined;
  /** Settles with the stream that the operation holds open, see `CallContext.holdUntil`; absent when there is none. */
  readonly held: Promise<unknown> | undefined;
  /** Tells the connection that nothing came for so long. */
  suspect(): void;
  /** Ends it at once with `outcome`; the call rejects with `reason`, or with why it still had no endpoint. */
  cancel(reason: Error, outcome: Outcome): void;
}

/**
 * Chooses an endpoint for each call and hears how the call ended (go-kit's Balancer, with the way back that makes metrics
 * and ejection possible).
 */
import type { Call } from "../call/call.js";
import type { Endpoint } from "../endpoints/endpoint.js";
import type { Outcome } from "../outcome.js";
import type { PickContext } from "./strategy.js";

/** An endpoint that was chosen for a call. Whoever asked for it ends it exactly once; a second `done` does nothing. */
export interface Pick<C> {
  readonly endpoint: Endpoint<C>;
  /**
   * For a call that goes on after its answer began, as a stream does: its length is no measure of the endpoint, and one that
   * was ejected and that it probes is in use again. Does nothing the second time.
   */
  answered(): void;
  done(outcome: Outcome): void;
}

/** What a pick may wait for, beside what the strategy reads. */
export interface PickRequest extends PickContext {
  /** How long to wait while nothing can be picked, on the balancer's monotonic clock; absent: without end. */
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether the call may be repeated: an ejected endpoint is rather probed with such a one. */
  readonly idempotent?: boolean | undefined;
}

export interface Balancer<C> extends AsyncDisposable {
  /**
   * An endpoint at once; a promise of one only while there is none that could take a call. One whose connection fails can,
   * once: if nobody is ready and the endpoint is excluded, a pick that has a deadline waits. Throws when it may not wait.
   */
  pick(request?: PickRequest): Pick<C> | Promise<Pick<C>>;
  /** One attempt: picks, runs the operation and ends the pick with what became of it. */
  readonly call: Call<C>;
  /** Resolves as soon as an endpoint is ready. */
  ready(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  close(): Promise<void>;
}

/** The balancer, as those who come for a pick see it. */
import type { Clock } from "../../clock.js";
import type { DeadlineQueue } from "../../deadline-queue.js";
import type { RollcallError } from "../../errors.js";
import type { Pick, PickRequest } from "../balancer.js";

export interface PickDesk<C> {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  /** Whether anybody wants to know how long an answer took. */
  readonly measures: boolean;
  /** A pick, unless the call has to wait for one, `untilMs` at the latest; throws when it must not wait. */
  tryPick(request: PickRequest, untilMs: number): Pick<C> | undefined;
  /** Calls `tryNow` whenever a pick may have become possible, until it returns true. Returns how to give up. */
  wait(tryNow: () => boolean): () => void;
  /** Why there was nothing to pick. */
  nothingToPick(cause?: unknown): RollcallError;
}

import type { Deadline } from "../../deadline-queue.js";
import { RollcallError, toError } from "../../errors.js";
import type { Pick, PickRequest } from "../balancer.js";
import type { PickDesk } from "./pick-desk.js";

/** Somebody who asked for a pick when there was none. */
export class PickWait<C> implements Deadline {
  queuePosition = -1;
  readonly dueMs: number;
  readonly #desk: PickDesk<C>;
  readonly #request: PickRequest;
  readonly #resolve: (pick: Pick<C>) => void;
  readonly #reject: (error: unknown) => void;
  #stopWaiting: (() => void) | undefined;

  constructor(
    desk: PickDesk<C>,
    request: PickRequest,
    resolve: (pick: Pick<C>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#desk = desk;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    this.dueMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  start(): void {
    const { signal } = this.#request;
    if (signal?.aborted) {
      this.handleEvent();
      return;
    }
    signal?.addEventListener("abort", this);
    this.#desk.deadlines.add(this);
    this.#stopWaiting = this.#desk.wait(() => this.#tryNow());
  }

  due(): void {
    this.#end();
    this.#reject(this.#desk.nothingToPick());
  }

  handleEvent(): void {
    this.#end();
    this.#reject(new RollcallError("CANCELLED", "the pick was cancelled", { cause: this.#request.signal?.reason }));
  }

  #tryNow(): boolean {
    try {
      const pick = this.#desk.tryPick(this.#request, this.dueMs);
      if (pick === undefined) return false;
      this.#end();
      this.#resolve(pick);
    } catch (error) {
      this.#end();
      this.#reject(toError(error));
    }
    return true;
  }

  #end(): void {
    this.#stopWaiting?.();
    this.#desk.deadlines.remove(this);
    this.#request.signal?.removeEventListener("abort", this);
  }
}

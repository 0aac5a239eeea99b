/**
 * The part of a call's time that belongs to one attempt: what was left when it began, by the attempts that were left.
 *
 * Why only a share: an instance that hangs would keep the call until its deadline, and no attempt would be left to make. Why
 * it is not cancelled then: see docs/decisions/0010-a-slow-attempt-is-not-cancelled.md.
 */
import type { RunningAttempt } from "./call.js";

/** The least time before looking again at an attempt that is still waiting for an endpoint. */
const RECHECK_MS = 20;

/** When the share of an attempt ends that started at `startedMs`; never, if no other may start beside it. */
export function shareEnd(startedMs: number, deadlineMs: number, othersLeft: number): number {
  if (othersLeft <= 0) return Number.POSITIVE_INFINITY;
  return startedMs + (deadlineMs - startedMs) / (othersLeft + 1);
}

/** When to look at `attempt` again: at `nowMs` when it has used its share. */
export function nextLook(attempt: RunningAttempt, deadlineMs: number, othersLeft: number, nowMs: number): number {
  if (attempt.address === undefined) {
    return Math.max(shareEnd(nowMs, deadlineMs, othersLeft), nowMs + RECHECK_MS); // its share begins now at the earliest
  }
  return Math.max(shareEnd(attempt.startedMs, deadlineMs, othersLeft), nowMs);
}

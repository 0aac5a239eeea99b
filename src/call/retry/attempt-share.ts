/**
 * The part of a call's time that belongs to one attempt: what was left when it began, by the attempts that were left.
 *
 * Why only a share: an instance that hangs would keep the call until its deadline, and no attempt would be left to make. Why
 * it is not cancelled then: see docs/decisions/0010-a-slow-attempt-is-not-cancelled.md.
 */
import type { RunningAttempt } from "../call.js";

/** The least time before looking again at an attempt that is still waiting for an endpoint. */
const RECHECK_MS = 20;

/** When the share of an attempt ends that started at `startedMs`; never, if no other may start beside it. */
export function shareEnd(startedMs: number, deadlineMs: number, othersLeft: number): number {
  if (othersLeft <= 0) return Number.POSITIVE_INFINITY;
  return startedMs + (deadlineMs - startedMs) / (othersLeft + 1);
}

/** Whether an attempt has had its time, and when to look at it again. */
export interface Pace {
  /** `hedge`: longer than most calls take; `share`: all that was its own. */
  readonly used: "share" | "hedge" | undefined;
  /** After a hedge: when its share ends. */
  readonly lookMs: number;
}

export function paceOf(
  { address, startedMs }: RunningAttempt,
  deadlineMs: number,
  othersLeft: number,
  hedgeDelayMs: number,
  nowMs: number,
): Pace {
  if (address === undefined) {
    const soonestMs = Math.min(shareEnd(nowMs, deadlineMs, othersLeft), nowMs + hedgeDelayMs); // its time begins now at the earliest
    return { used: undefined, lookMs: Math.max(soonestMs, nowMs + RECHECK_MS) };
  }
  const shareMs = shareEnd(startedMs, deadlineMs, othersLeft);
  const hedgeMs = startedMs + hedgeDelayMs;
  if (shareMs <= nowMs) return { used: "share", lookMs: nowMs };
  return hedgeMs <= nowMs
    ? { used: "hedge", lookMs: shareMs }
    : { used: undefined, lookMs: Math.min(shareMs, hedgeMs) };
}

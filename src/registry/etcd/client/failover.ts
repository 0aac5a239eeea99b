/**
 * One request, several members: the next one is tried when the last one failed, and also when it is slow, without giving
 * that one up. The first answer wins and the others are cancelled.
 *
 * Why not give a slow one up: during an election every member is slow for a second or two, and a client that gives up
 * each time before the answer never gets one.
 */
import { fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import { toError } from "../../../errors.js";
import type { Random } from "../../../random.js";
import { EtcdError } from "./etcd-error.js";
import type { Members } from "./members.js";

export interface FailoverPlan<M, T> {
  readonly members: Members<M>;
  /** Its signal aborts when the answer is no longer needed. */
  attempt(member: M, signal: AbortSignal): Promise<T>;
  /** What a member may take before another is tried beside it. */
  readonly shareMs: number;
  /** How often all members are tried; between two rounds there is a pause. */
  readonly rounds: number;
  /** A member failed, or used its share of the time; it was put last. */
  onFault(member: M, fault: Error | "slow"): void;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends it all, with the signal's reason. */
  readonly signal: AbortSignal;
}

const PAUSE = { baseMs: 100, maxMs: 1_000 };

export function failover<M, T>(plan: FailoverPlan<M, T>): Promise<T> {
  const { members, clock, random, signal } = plan;
  return new Promise((resolve, reject) => {
    const losers = new AbortController();
    const tried = new Set<M>();
    let round = 1;
    let running = 0;
    /** The attempt that is still in its share: only its failure calls for another. */
    let newest = 0;
    let launched = 0;
    let timer: Timer | undefined;
    let exhausted = false;
    let done = false;

    const finish = (settle: () => void) => {
      if (done) return;
      done = true;
      timer?.cancel();
      signal.removeEventListener("abort", onAbort);
      settle();
      losers.abort();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const next = () => {
      timer?.cancel();
      const member = members.best(tried);
      if (member !== undefined) void launch(member);
      else if (round < plan.rounds) timer = clock.after(fullJitter(PAUSE, round, random), nextRound);
      else exhausted = true;
    };
    const nextRound = () => {
      round += 1;
      tried.clear();
      next();
    };
    const moveOn = (member: M, fault: Error | "slow") => {
      newest = 0;
      members.demote(member);
      plan.onFault(member, fault);
      next();
    };
    const launch = async (member: M) => {
      launched += 1;
      const attempt = launched;
      newest = attempt;
      running += 1;
      tried.add(member);
      timer = clock.after(plan.shareMs, () => moveOn(member, "slow"));
      try {
        const answer = await plan.attempt(member, losers.signal);
        finish(() => resolve(answer));
      } catch (thrown) {
        running -= 1;
        if (done) return;
        const error = toError(thrown);
        if (!anotherMayAnswer(error)) return finish(() => reject(error));
        if (attempt === newest) moveOn(member, error);
        if (exhausted && running === 0) finish(() => reject(error));
      }
    };

    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    next();
  });
}

/** A refusal is the cluster's answer, whichever member gives it. */
function anotherMayAnswer(error: Error): boolean {
  return error instanceof EtcdError && (error.kind === "unavailable" || error.kind === "timeout");
}

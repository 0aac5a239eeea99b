/**
 * Notices a member that keeps its TCP connection open and says nothing: stopped, out of memory, or behind a network that
 * drops packets.
 *
 * Why not HTTP/2 pings: etcd closes a connection that pings more often than every 5 s, and a watch that hears nothing for
 * that long sends calls to dead servers. Asking a small question is always allowed.
 */
import type { Clock, Timer } from "../../../clock.js";

/** A quiet watch is normal; a question every two seconds costs etcd nothing. */
const SILENCE_MS = 2_000;
/** Ten times what a healthy member needs on a bad day; with `SILENCE_MS`, a hung member is left after 3.5 s. */
const ANSWER_MS = 1_500;
/** A timer this late says that our own process stood still; what the member sent meanwhile has not been read yet. */
const LATE_MS = 250;

export interface Liveness {
  /** Something arrived. */
  heard(): void;
  stop(): void;
}

/** Starts listening. `ask` resolves when any answer arrives, a refusal included; `onDead` is called at most once. */
export function liveness(clock: Clock, ask: () => Promise<void>, onDead: () => void): Liveness {
  let lastHeardMs = clock.nowMs();
  let timer: Timer;

  const heard = () => {
    lastHeardMs = clock.nowMs();
  };
  const waitForSilence = () => {
    const quietMs = clock.nowMs() - lastHeardMs;
    if (quietMs < SILENCE_MS) timer = clock.after(SILENCE_MS - quietMs, waitForSilence);
    else probe();
  };
  const probe = () => {
    ask().then(heard, () => {}); // a failed question is the connection's own end, which its streams are told
    waitForAnswer(clock.nowMs());
  };
  const waitForAnswer = (askedMs: number) => {
    const dueMs = clock.nowMs() + ANSWER_MS;
    timer = clock.after(ANSWER_MS, () => {
      if (lastHeardMs >= askedMs) waitForSilence();
      else if (clock.nowMs() - dueMs > LATE_MS) waitForAnswer(askedMs);
      else onDead();
    });
  };

  waitForSilence();
  return { heard, stop: () => timer.cancel() };
}

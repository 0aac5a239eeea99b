/**
 * Runs the watch machine over a client: lists, streams and timers become its events, its effects become calls. It decides
 * nothing; see `watch-machine.ts` for what happens when.
 */
import { type BackoffRange, fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import { toError } from "../../../errors.js";
import type { Random } from "../../../random.js";
import type { EtcdCallOptions, EtcdClient } from "../client/client.js";
import type { ClusterRevision } from "./cluster-revision.js";
import { type Held, historyNow, unchangedBetween } from "./history.js";
import { listPrefix } from "./list.js";
import type { Change, Entry, Position } from "./position.js";
import type { ProgressTrust } from "./progress-trust.js";
import { transition, type WatchEffect, type WatchEvent, type WatchState, watchingAfter } from "./watch-machine.js";
import type { WatchSignal } from "./watch-responses.js";
import { openWatchStream, type WatchStream } from "./watch-stream.js";

// The first try after a stream ended comes within 100 ms, so that a member's restart passes unnoticed. The most bounds how
// late a watcher is after an outage, and what 1,000 watchers ask of a cluster that is down: about 400 tries a second.
const RETRY: BackoffRange = { baseMs: 100, maxMs: 5_000 };
// The view is stale when the registry was not heard for this long. A stream that ended is open on another member within a
// second and an election is over within two, so that neither a rolling restart nor a new leader shows.
const STALE_AFTER_MS = 2_000;
// A member that is well answers at once; what hangs is noticed by the client's probe. This is for a member that answers
// the probe and not the watch.
const CREATED_WITHIN_MS = 5_000;
// A watch that lived less has proved nothing: a proxy that accepts and cuts must not be met with a hot loop.
const SETTLED_AFTER_MS = 5_000;
// Where a check may cost a read of the whole prefix (1 ms for 1,000 keys): with the time to the next check of the registry, as
// much work for etcd as one list in 30 s.
const CHECK_RARELY_MS = 25_000;
// A member that is well reports at once, and an event is on its way no longer; a busy machine is slower.
const REPORT_WITHIN_MS = 1_500;
// A timer this late says that our own process stood still: what etcd said meanwhile has not been read yet.
const LATE_MS = 250;

/** What a watch reports. Everything it says of the keys is exact at the revision that comes with it. */
export interface WatchObserver {
  /** What is known after everything that was reported, at `revision` or before. */
  held(revision: bigint): Held;
  /** Whether what was reported shows that `entries`, just listed, are of another history. */
  isContradictedBy(entries: readonly Entry[]): boolean;
  /** All there is at `position`; after a first list, a compaction or a rebuilt cluster. */
  replaced(entries: readonly Entry[], position: Position): void;
  /** What changed since the last report, in order. */
  changed(changes: readonly Change[], revision: bigint): void;
  /** The registry is heard: what is known is kept up to date from here on. */
  heard(): void;
  /** Something keeps the registry from being heard; `silent` follows if that lasts. */
  hindered(error: Error): void;
  /** The registry has not been heard for a while. */
  silent(error: Error): void;
}

export interface WatchEnvironment {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly progress: ProgressTrust;
  readonly cluster: ClusterRevision;
}

/** Each timer is named for the event that it becomes. */
type TimerName = "retry" | "silence" | (typeof streamTimers)[number];
/** Those that belong to one stream and must not speak for the next. */
const streamTimers = ["overdue", "settled", "check-due", "unproven"] as const;
/** Those that find etcd silent. Time in which we did not listen does not count for them. */
const judges: ReadonlySet<TimerName> = new Set(["silence", "overdue", "unproven"]);

/** Follows every key under `prefix` from `start()` to `close()`, for ever and through whatever happens to the registry. */
export class PrefixWatch {
  readonly #environment: WatchEnvironment;
  readonly #prefix: string;
  readonly #observer: WatchObserver;
  readonly #timers = new Map<TimerName, Timer>();
  readonly #undispatched: WatchEvent[] = [];
  #dispatching = false;
  #state: WatchState = { kind: "idle" };
  #stream: WatchStream | undefined;
  /** The member of the stream, as etcd numbers them. */
  #memberId = 0n;
  readonly #reading = new AbortController();
  /** What went wrong since it was last heard, as the reason for going stale. */
  #lastError: Error | undefined;

  constructor(environment: WatchEnvironment, prefix: string, observer: WatchObserver) {
    this.#environment = environment;
    this.#prefix = prefix;
    this.#observer = observer;
  }

  start(): void {
    this.#dispatch({ kind: "start" });
  }

  /** Nothing is reported from here on. */
  close(): void {
    this.#dispatch({ kind: "close" });
  }

  /** An event that comes while another is worked on (an observer that closes us) waits until that one is done. */
  #dispatch(event: WatchEvent): void {
    this.#undispatched.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    for (let next = this.#undispatched.shift(); next; next = this.#undispatched.shift()) {
      const { state, effects } = transition(this.#state, next);
      this.#state = state;
      for (const effect of effects) this.#carryOut(effect);
    }
    this.#dispatching = false;
  }

  #carryOut(effect: WatchEffect): void {
    const { client, random, progress, cluster } = this.#environment;
    switch (effect.kind) {
      case "list":
        this.#read(
          (options) => listPrefix(client, this.#prefix, options),
          (listed) => ({ kind: "listed", ...listed, rebuilt: this.#observer.isContradictedBy(listed.entries) }),
        );
        break;
      case "confirm": {
        const held = this.#observer.held(effect.revision);
        this.#read(
          (options) => historyNow(held, client, this.#prefix, options),
          (history) => (history === "compacted" ? { kind: history } : { kind: "confirmed", ...history }),
        );
        break;
      }
      case "check": {
        const { since } = effect;
        this.#read(
          (options) => cluster.read(this.#prefix, since, options),
          (header) => ({ kind: "checked", header, since }),
          "unchecked",
        );
        break;
      }
      case "compare": {
        const { since, owed } = effect;
        const { keys } = this.#observer.held(since);
        this.#read(
          (options) => unchangedBetween({ since, owed, keys }, client, this.#prefix, options),
          (same) => ({ kind: "compared", since, owed, same }),
          "unchecked",
        );
        break;
      }
      case "open":
        for (const name of streamTimers) this.#cancel(name);
        this.#stream = openWatchStream(client, this.#prefix, effect.startRevision, {
          onSignal: (signal) => this.#hear(signal),
          onEnd: (error) => this.#failed(error, { kind: "ended" }),
        });
        this.#after("overdue", CREATED_WITHIN_MS);
        this.#after("settled", SETTLED_AFTER_MS);
        break;
      case "end-stream":
        this.#stream?.cancel();
        break;
      case "fail-stream":
        this.#lastError = new Error(`etcd member ${this.#stream?.member} is passed over: ${effect.reason}`);
        this.#stream?.fail(effect.reason);
        break;
      case "ask-progress":
        if (progress.trusts(this.#memberId)) this.#stream?.askProgress();
        else progress.learn(this.#memberId);
        this.#after("unproven", REPORT_WITHIN_MS);
        break;
      case "check-later":
        this.#after("check-due", cluster.untilCheckMs());
        break;
      case "check-rarely":
        this.#after("check-due", cluster.untilCheckMs(spread(CHECK_RARELY_MS, random)));
        break;
      case "heard":
        this.#lastError = undefined;
        this.#cancel("silence");
        this.#cancel("overdue");
        this.#observer.heard();
        break;
      case "unheard":
        this.#after("silence", STALE_AFTER_MS);
        break;
      case "retry":
        this.#after("retry", fullJitter(RETRY, effect.failures, random));
        break;
      case "replace":
        this.#observer.replaced(effect.entries, effect.position);
        break;
      case "apply":
        this.#observer.changed(effect.changes, effect.revision);
        break;
      case "stale":
        // The first list is still under way, and no reason is known why it should not come.
        if (!this.#lastError && this.#state.kind === "listing") this.#after("silence", STALE_AFTER_MS);
        else this.#observer.silent(this.#lastError ?? new Error("etcd does not answer the request for a watch"));
        break;
      case "stop":
        this.#reading.abort();
        this.#stream?.cancel();
        for (const name of [...this.#timers.keys()]) this.#cancel(name);
    }
  }

  /** The answer as an event, unless the watch was closed or has moved to another stream meanwhile. */
  #read<T>(
    ask: (options: EtcdCallOptions) => Promise<T>,
    eventOf: (answer: T) => WatchEvent,
    failure: "failed" | "unchecked" = "failed",
  ): void {
    const { signal } = this.#reading;
    const stream = this.#stream;
    const isMeant = () => !signal.aborted && stream === this.#stream;
    ask({ signal, onSilence: (error) => this.#hindered(error) }).then(
      (answer) => {
        if (isMeant()) this.#dispatch(eventOf(answer));
      },
      (error: unknown) => {
        if (isMeant()) this.#failed(toError(error), { kind: failure });
      },
    );
  }

  #hear(signal: WatchSignal): void {
    if (signal.kind === "changed" && this.#state.kind === "watching" && !this.#dispatching) {
      // A row of the machine without the queue of events: 18 of the 80 µs from the bytes to the view, in a process that was idle.
      this.#state = watchingAfter(signal.changes, this.#state);
      this.#observer.changed(signal.changes, this.#state.position.revision);
      return;
    }
    const { progress } = this.#environment;
    switch (signal.kind) {
      case "created":
        this.#memberId = signal.memberId;
        progress.learn(signal.memberId);
        this.#dispatch(signal);
        break;
      case "changed":
        this.#dispatch(signal);
        break;
      case "progress":
        if (progress.trusts(this.#memberId)) this.#dispatch(signal);
        break;
      case "compacted":
      case "refused":
        this.#failed(signal.error, signal);
    }
  }

  #failed(error: Error, event: WatchEvent): void {
    this.#lastError = error;
    this.#observer.hindered(error);
    this.#dispatch(event);
  }

  /** Why a read that goes on has no answer yet: the reason unless an earlier one ended with a better. */
  #hindered(error: Error): void {
    if (this.#lastError || this.#reading.signal.aborted) return;
    this.#lastError = error;
    this.#observer.hindered(error);
  }

  #after(name: TimerName, delayMs: number): void {
    this.#cancel(name);
    const { clock } = this.#environment;
    const lateMs = clock.nowMs() + delayMs + LATE_MS;
    const elapsed = () => {
      if (judges.has(name) && clock.nowMs() > lateMs) return this.#after(name, delayMs);
      this.#timers.delete(name);
      this.#dispatch({ kind: name });
    };
    // A program that watches stays alive through its connection; without one, through the next try.
    this.#timers.set(name, clock.after(delayMs, elapsed, { hold: name === "retry" }));
  }

  #cancel(name: TimerName): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }
}

/** In the second half of `intervalMs`, so that watches opened together do not read their prefixes together. */
function spread(intervalMs: number, random: Random): number {
  return intervalMs * (0.5 + random() / 2);
}

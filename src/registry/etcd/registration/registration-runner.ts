/**
 * Carries out what the registration machine asks for: leases, claims, the guard of the keys, and the pauses between tries.
 * What happens when is decided in `registration-machine.ts`; here is only how.
 *
 * Two rules keep it simple. At most one operation (grant, claim, withdrawal) runs at a time, and a new one ends the one
 * before. The keys are guarded only while no operation runs, so that what we write ourselves is never taken for a
 * disturbance. The grant of a lease that is to replace the present one is none of these: it may take long, and the keys stay
 * guarded meanwhile.
 */
import { fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import { toError } from "../../../errors.js";
import type { NewInstance } from "../../../instance.js";
import type { Random } from "../../../random.js";
import type { KeyValue, Layout } from "../../layouts/layout.js";
import type { EtcdClient } from "../client/client.js";
import { EtcdError, isPassing } from "../client/etcd-error.js";
import { claim } from "./claim.js";
import { HeldLeases } from "./held-leases.js";
import type { LeaseKeeper } from "./lease-keeper.js";
import { OwnKeys } from "./own-keys.js";
import { type Effect, type Event, type State, transition } from "./registration-machine.js";
import { FIRST_PAUSE_MS, LONGEST_PAUSE_OF_TTL, RELEASE_WITHIN_MS, TRY_MS } from "./tries.js";

/** What all registrations of one registry share. */
export interface RegistrationEnvironment {
  readonly client: EtcdClient;
  readonly keeper: LeaseKeeper;
  readonly layout: Layout;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface RunnerObserver {
  /** After each event, when what it asked for is under way. */
  onState(state: State): void;
  /** What `want()` gave this version, or a later one, stands in etcd. */
  onWritten(version: number): void;
  /** A try failed. `passing`: it may succeed later without anybody doing something about it. */
  onFailure(error: Error, passing: boolean): void;
  /** After an election the keys could not be moved to a fresh lease; they stay where they are. */
  onMoveRefused(error: Error): void;
  /** The keys cannot be watched over: etcd refuses to let them be read. */
  onBlind(error: Error): void;
}

export class RegistrationRunner {
  readonly #environment: RegistrationEnvironment;
  readonly #service: string;
  readonly #observer: RunnerObserver;
  readonly #effects: Readonly<Record<Effect, () => void>> = {
    grant: () => void this.#grant(),
    claim: () => void this.#claim(),
    "retry-grant": () => this.#after(() => this.#grant()),
    "retry-claim": () => this.#after(() => this.#claim()),
    keep: () => this.#leases.keep(),
    forget: () => this.#leases.forget(),
    release: () => void this.#leases.giveBack(RELEASE_WITHIN_MS).catch(() => {}),
    replace: () => this.#leases.replace(),
    move: () => this.#leases.move(),
    "accept-term": () => this.#leases.acceptTerm(),
    guard: () => this.#watchKeys(),
    verify: () => this.#guard?.verify(),
    withdraw: () => void this.#withdraw(),
  };
  #state: State = { name: "granting", first: true };
  #wanted: NewInstance;
  #version = 0;
  /** What stood in etcd last. */
  #written: NewInstance | undefined;
  /** Under which lease it stood, and since which revision it is known to. */
  #stands = { id: 0n, revision: 0n };
  readonly #leases: HeldLeases;
  /** What was last written, or tried to be; the keys of a lease are remembered until it ends. */
  #entries: readonly KeyValue[] = [];
  #entriesLeaseId = 0n;
  readonly #triedKeys = new Set<string>();
  #seenRevision = 0n;
  #guard: OwnKeys | undefined;
  #operation = new AbortController();
  #pause: Timer | undefined;
  #firstTryMs = TRY_MS;
  #failures = 0;
  #closeTimeoutMs = 0;

  constructor(environment: RegistrationEnvironment, service: string, instance: NewInstance, observer: RunnerObserver) {
    this.#environment = environment;
    this.#service = service;
    this.#wanted = instance;
    this.#observer = observer;
    this.#leases = new HeldLeases(environment, {
      lease: {
        probePrefix: environment.layout.prefix(service),
        onTerm: (term) => this.#heard(term),
        onRenewed: () => this.#dispatch({ type: "renewed" }),
        onOverdue: () => this.#dispatch({ type: "overdue" }),
        onExpired: () => this.#dispatch({ type: "expired" }),
        onGone: () => this.#dispatch({ type: "lease-gone" }),
      },
      onReplaced: () => this.#dispatch({ type: "replaced" }),
      onRefused: (error) => observer.onMoveRefused(error),
    });
  }

  /** The key of the instance; empty before the first claim. */
  get id(): string {
    return this.#entries[0]?.key ?? "";
  }

  get wanted(): NewInstance {
    return this.#wanted;
  }

  get ttlMs(): number {
    return this.#leases.ttlMs;
  }

  get lease(): { readonly id: bigint; readonly ttlMs: number; readonly revision: bigint } {
    return { ...this.#stands, ttlMs: this.ttlMs };
  }

  /** Registers for the first time, within `withinMs` if it can: so long that two tries fit, and the first can tell why not. */
  start(withinMs: number): void {
    this.#firstTryMs = Math.min(TRY_MS, withinMs / 2);
    this.#effects.grant();
  }

  /** Replaces what is to be written, now or with the next claim, and gives its version. */
  want(instance: NewInstance): number {
    this.#wanted = instance;
    this.#version += 1;
    const version = this.#version;
    this.#dispatch({ type: "changed" });
    return version;
  }

  close(timeoutMs: number): void {
    this.#closeTimeoutMs = timeoutMs;
    this.#dispatch({ type: "close" });
  }

  #dispatch(event: Event): void {
    const { state, effects } = transition(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#effects[effect]();
    // Not `state`: an effect that had nothing to do may have made the next step already.
    this.#observer.onState(this.#state);
  }

  async #grant(): Promise<void> {
    const signal = this.#begin();
    try {
      await this.#leases.grant({ signal, timeoutMs: this.#tryMs });
      if (signal.aborted) return;
      if (this.#leases.former.length === 0) this.#triedKeys.clear();
      this.#dispatch({ type: "granted" });
    } catch (error) {
      if (!signal.aborted) this.#failed(toError(error));
    }
  }

  async #claim(): Promise<void> {
    const signal = this.#begin();
    const { client, layout } = this.#environment;
    const version = this.#version;
    const wanted = this.#wanted;
    const { id: leaseId, former } = this.#leases;
    try {
      const entries = layout.encode(this.#service, wanted, leaseId);
      const keys = new Set(entries.map(({ key }) => key));
      const obsolete = [...this.#triedKeys].filter((key) => !keys.has(key));
      for (const key of keys) this.#triedKeys.add(key);
      this.#entries = entries;
      this.#entriesLeaseId = leaseId;
      const takeOver = this.#isFirst;
      const call = { signal, timeoutMs: this.#tryMs };
      const result = await claim(client, entries, { leaseId, former, takeOver, obsolete, ...call });
      if (signal.aborted) return;
      this.#failures = 0;
      this.#seenRevision = result.revision;
      if (result.type === "claimed") {
        this.#stands = { id: leaseId, revision: result.revision };
        if (former.length > 0) this.#moved(keys);
      }
      this.#heard(result.term);
      this.#dispatch(result);
      if (result.type !== "claimed") return;
      this.#written = wanted;
      this.#observer.onWritten(version);
      if (this.#version > version) this.#dispatch({ type: "changed" });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof EtcdError && error.kind === "lease-not-found") this.#dispatch({ type: "lease-gone" });
      else {
        if (!isPassing(error)) this.#leases.moveBack(toError(error));
        this.#failed(toError(error));
      }
    }
  }

  #failed(error: Error): void {
    this.#failures += 1;
    const passing = isPassing(error);
    // An update that etcd will not take must not cost what could be written before.
    if (!passing) this.#wanted = this.#written ?? this.#wanted;
    this.#dispatch(passing ? { type: "failed" } : { type: "failed", reason: error.message });
    this.#observer.onFailure(error, passing);
  }

  /** The keys stand under the present lease alone, and what was tried under another ends with that. */
  #moved(keys: ReadonlySet<string>): void {
    this.#triedKeys.clear();
    for (const key of keys) this.#triedKeys.add(key);
    this.#leases.giveBackFormer();
  }

  #heard(term: bigint): void {
    if (this.#leases.noteTerm(term)) this.#dispatch({ type: "reelected" });
  }

  #watchKeys(): void {
    const { client, clock, random, layout } = this.#environment;
    this.#guard?.stop();
    this.#guard = new OwnKeys({
      client,
      clock,
      random,
      probePrefix: layout.prefix(this.#service),
      entries: this.#entries,
      leaseId: this.#entriesLeaseId,
      revision: this.#seenRevision,
      verifyEveryMs: this.ttlMs,
      isInDoubt: () => this.#state.name === "suspect" || this.#state.name === "lost",
      onTerm: (term) => this.#heard(term),
      onJudgement: (judgement) => {
        if (judgement.type !== "intact") this.#dispatch(judgement);
      },
      onBlind: (error) => this.#observer.onBlind(error),
    });
  }

  async #withdraw(): Promise<void> {
    this.#begin();
    try {
      await this.#leases.giveBack(this.#closeTimeoutMs);
      this.#dispatch({ type: "withdrawn" });
    } catch (error) {
      const reason = `etcd could not be told (${toError(error).message}); its lease ends it within ${this.ttlMs} ms`;
      this.#dispatch({ type: "withdrawn", reason });
    }
  }

  get #isFirst(): boolean {
    return "first" in this.#state && this.#state.first;
  }

  get #tryMs(): number {
    return this.#isFirst ? this.#firstTryMs : TRY_MS;
  }

  /** Ends whatever is under way and gives the signal of what begins now. */
  #begin(): AbortSignal {
    this.#operation.abort();
    this.#pause?.cancel();
    this.#guard?.stop();
    this.#guard = undefined;
    this.#operation = new AbortController();
    return this.#operation.signal;
  }

  #after(next: () => Promise<void>): void {
    const { clock, random } = this.#environment;
    const range = { baseMs: FIRST_PAUSE_MS, maxMs: this.ttlMs * LONGEST_PAUSE_OF_TTL };
    this.#pause = clock.after(fullJitter(range, this.#failures, random), () => void next(), { hold: true });
  }
}

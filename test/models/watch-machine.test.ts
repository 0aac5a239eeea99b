/**
 * The watch machine alone, under every order of events that its surroundings can produce, and some that they cannot. The
 * surroundings are a few flags: what was asked for and not answered, which timers run, which stream is open.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { continues, type Position, type StoreHeader } from "../../src/registry/etcd/watch/position.js";
import {
  transition,
  type WatchEffect,
  type WatchEvent,
  type WatchState,
} from "../../src/registry/etcd/watch/watch-machine.js";
import { hold, timeout } from "./property.js";

const RUNS = 1_000;
// Confirm, list, open, created: what the longest way back takes, with a retry before each.
const STEPS_TO_LIVE = 8;

const header: fc.Arbitrary<StoreHeader> = fc.record({
  clusterId: fc.constantFrom(7n, 7n, 7n, 8n),
  raftTerm: fc.bigInt({ min: 2n, max: 4n }),
  revision: fc.bigInt({ min: 1n, max: 60n }),
});
const changes = fc
  .array(fc.bigInt({ min: 1n, max: 3n }), { minLength: 1, maxLength: 3 })
  .map((gaps) => (from: bigint) => {
    let modRevision = from;
    return gaps.map((gap) => {
      modRevision += gap;
      return { key: "k", modRevision };
    });
  });
const event: fc.Arbitrary<(from: bigint) => WatchEvent> = fc.oneof(
  fc
    .constantFrom(
      "start",
      "failed",
      "overdue",
      "check-due",
      "unchecked",
      "unproven",
      "compacted",
      "refused",
      "ended",
      "settled",
      "retry",
      "silence",
    )
    .map((kind) => () => ({ kind }) as WatchEvent),
  fc.tuple(header, header).map(([header, since]) => () => {
    return { kind: "checked", header, since: { ...since, epoch: 0 } } as const;
  }),
  fc.boolean().map((same) => (from: bigint) => ({ kind: "compared", since: from, owed: from + 1n, same }) as const),
  fc.tuple(header, fc.boolean()).map(([header, rebuilt]) => () => {
    return { kind: "listed", header, entries: [], rebuilt } as const;
  }),
  header.map((header) => () => ({ kind: "created", header }) as const),
  fc.tuple(header, fc.boolean()).map(
    ([header, same]) =>
      () =>
        ({ kind: "confirmed", header, same }) as const,
  ),
  changes.map((make) => (from: bigint) => ({ kind: "changed", changes: make(from) }) as const),
  fc.bigInt({ min: 1n, max: 90n }).map((revision) => () => ({ kind: "progress", revision }) as const),
);
const close = { weight: 1, arbitrary: fc.constant(() => ({ kind: "close" }) as const) };
const events = (maxLength: number) =>
  fc.array(fc.oneof({ weight: 80, arbitrary: event }, close), { maxLength, size: "max" });

/** What a runner has under way for the machine, followed by its effects alone. */
class Surroundings {
  state: WatchState = { kind: "idle" };
  /** A read that has not been answered. */
  reading: "list" | "confirm" | undefined;
  /** The reads beside an open stream, which its end makes meaningless. */
  #checkedSince: Position | undefined;
  #compares: { readonly since: bigint; readonly owed: bigint }[] = [];
  stream: "asked" | "created" | undefined;
  #startRevision = 0n;
  /** A watch from here or before is answered with a compaction. */
  #compactedRevision = -1n;
  readonly timers = new Set<"retry" | "silence" | "overdue" | "settled" | "check-due" | "unproven">();
  heard = false;
  toldStale = false;
  stopped = false;

  /** Whether `event` can come from what is under way. */
  canProduce({ kind }: WatchEvent): boolean {
    switch (kind) {
      case "start":
        return this.state.kind === "idle";
      case "listed":
        return this.reading === "list";
      case "confirmed":
        return this.reading === "confirm";
      case "failed":
        return this.reading !== undefined;
      case "checked":
        return this.#checkedSince !== undefined;
      case "compared":
        return this.#compares.length > 0;
      case "unchecked":
        return this.#checkedSince !== undefined || this.#compares.length > 0;
      case "created":
        return this.stream === "asked";
      case "changed":
      case "progress":
        return this.stream === "created";
      case "compacted":
        return this.stream !== undefined || this.reading === "confirm";
      case "refused":
      case "ended":
        return this.stream !== undefined;
      case "close":
        return true;
      default:
        return this.timers.has(kind);
    }
  }

  /** The event, with what was asked where it is the answer of a read beside the stream. */
  asAnswer(event: WatchEvent): WatchEvent {
    if (event.kind === "checked" && this.#checkedSince) return { ...event, since: this.#checkedSince };
    return event.kind === "compared" ? { ...event, ...this.#compares[0] } : event;
  }

  feed(event: WatchEvent): readonly WatchEffect[] {
    if (event.kind === "checked") this.#checkedSince = undefined;
    else if (event.kind === "compared") this.#compares.shift();
    else if (event.kind === "unchecked" && this.#checkedSince) this.#checkedSince = undefined;
    else if (event.kind === "unchecked") this.#compares.shift();
    if (event.kind === "listed" || event.kind === "confirmed" || event.kind === "failed") this.reading = undefined;
    if (event.kind === "created") this.stream = "created";
    if (event.kind === "ended") this.stream = undefined;
    if (event.kind === "compacted" && this.reading === "confirm") this.reading = undefined;
    if (event.kind === "compacted") this.#compactedRevision = positionOf(this.state)?.revision ?? 0n;
    this.timers.delete(event.kind as "retry"); // no other kind is in the set
    const { state, effects } = transition(this.state, event);
    this.state = state;
    for (const effect of effects) this.#follow(effect);
    return effects;
  }

  get asksForCompacted(): boolean {
    return this.#startRevision <= this.#compactedRevision + 1n;
  }

  /** Whether something will happen that the machine waits for. */
  get waitsForSomething(): boolean {
    const { kind } = this.state;
    if (kind === "idle" || kind === "closed") return true;
    if (this.reading !== undefined || this.timers.has("retry")) return true;
    // A stream that is asked for may be silent, and one that is open may be deaf.
    if (this.stream === "asked") return this.timers.has("overdue");
    return kind === "doubting"
      ? this.timers.has("unproven") || this.#compares.length > 0
      : this.timers.has("check-due") || this.#checkedSince !== undefined;
  }

  #follow(effect: WatchEffect): void {
    expect(this.stopped, `${effect.kind} after stop`).toBe(false);
    switch (effect.kind) {
      case "list":
      case "confirm":
        expect(this.reading, "two reads at once").toBeUndefined();
        expect(this.stream, "a read beside a stream").toBeUndefined();
        this.reading = effect.kind;
        break;
      case "open":
        expect(this.reading, "a stream beside a read").toBeUndefined();
        expect(this.stream, "two streams at once").toBeUndefined();
        this.stream = "asked";
        this.#startRevision = effect.startRevision;
        for (const name of ["check-due", "unproven"] as const) this.timers.delete(name);
        for (const name of ["overdue", "settled"] as const) this.timers.add(name);
        this.#checkedSince = undefined;
        this.#compares = [];
        break;
      case "end-stream":
      case "fail-stream":
        expect(this.stream, "there is no stream to end").toBeDefined();
        this.stream = undefined;
        break;
      case "ask-progress":
        expect(this.stream, "there is no stream to ask").toBe("created");
        this.timers.add("unproven");
        break;
      case "check":
        expect(this.#checkedSince, "two checks at once").toBeUndefined();
        this.#checkedSince = effect.since;
        break;
      case "compare":
        this.#compares.push(effect);
        break;
      case "check-later":
      case "check-rarely":
        this.timers.add("check-due");
        break;
      case "heard":
        this.heard = true;
        this.toldStale = false;
        for (const name of ["silence", "overdue"] as const) this.timers.delete(name);
        break;
      case "unheard":
        this.heard = false;
        this.timers.add("silence");
        break;
      case "retry":
        expect(this.reading ?? this.stream, "a wait beside something under way").toBeUndefined();
        expect(effect.failures).toBeGreaterThan(0);
        this.timers.add("retry");
        break;
      case "replace":
        this.toldStale = false;
        break;
      case "stale":
        expect(this.heard, "stale although it is heard").toBe(false);
        this.toldStale = true;
        break;
      case "stop":
        this.stopped = true;
        this.reading = undefined;
        this.stream = undefined;
        this.timers.clear();
    }
  }
}

/** What a cluster that is well, and at the position already reached or past it, answers next. */
function healthyEvent(around: Surroundings): WatchEvent {
  const header = { clusterId: 7n, raftTerm: 9n, revision: 10_000n };
  if (around.reading === "list") return { kind: "listed", header, entries: [], rebuilt: false };
  if (around.reading === "confirm") return { kind: "confirmed", header, same: true };
  if (around.stream === "asked") return around.asksForCompacted ? { kind: "compacted" } : { kind: "created", header };
  if (around.state.kind === "doubting") return { kind: "progress", revision: around.state.owed };
  if (around.state.kind !== "watching") return { kind: around.state.kind === "idle" ? "start" : "retry" };
  return around.timers.has("check-due")
    ? { kind: "check-due" }
    : { kind: "checked", header, since: around.state.position };
}

function positionOf(state: WatchState): Position | undefined {
  if ("position" in state) return state.position;
  return state.kind === "waiting" ? state.next.position : undefined;
}

describe("the watch machine, in any order of events", { timeout }, () => {
  test("takes every event in every state, those that cannot come included", async () => {
    await hold(
      fc.property(events(30), (schedule) => {
        let state: WatchState = { kind: "idle" };
        for (const make of schedule) {
          const event = make(positionOf(state)?.revision ?? 0n);
          const step = transition(state, event);
          if (state.kind === "closed") expect(step).toEqual({ state, effects: [] });
          if (event.kind === "close") expect(step.state.kind).toBe("closed");
          state = step.state;
        }
      }),
      RUNS,
    );
  });

  test("never has two things under way, never waits for nothing, and says nothing after it was closed", async () => {
    await hold(
      fc.property(events(120), (schedule) => {
        const around = new Surroundings();
        for (const make of schedule) {
          const event = around.asAnswer(make(positionOf(around.state)?.revision ?? 0n));
          if (!around.canProduce(event)) continue;
          around.feed(event);
          expect(around.waitsForSomething, `deaf in ${around.state.kind}`).toBe(true);
          const { kind } = around.state;
          expect(kind === "watching" || kind === "doubting", "a stream that was created is to be watched").toBe(
            around.stream === "created",
          );
          if (kind === "idle" || kind === "closed") continue;
          const accountedFor = around.heard || around.timers.has("silence") || around.toldStale;
          expect(accountedFor, "silent, and nobody will be told").toBe(true);
        }
      }),
      RUNS,
    );
  });

  test("is live again within a few answers of a cluster that is well, from wherever it was", async () => {
    await hold(
      fc.property(events(120), (schedule) => {
        const around = new Surroundings();
        for (const make of schedule) {
          const event = around.asAnswer(make(positionOf(around.state)?.revision ?? 0n));
          if (event.kind !== "close" && around.canProduce(event)) around.feed(event);
        }
        const isLive = () => around.heard && around.state.kind === "watching";
        for (let step = 0; step < STEPS_TO_LIVE && !isLive(); step += 1) around.feed(healthyEvent(around));
        expect(around.heard).toBe(true);
        expect(around.state.kind).toBe("watching");
      }),
      RUNS,
    );
  });

  test("moves its position forwards only, but for another history of the cluster, which is a new epoch", async () => {
    await hold(
      fc.property(events(120), (schedule) => {
        const around = new Surroundings();
        /** Up to which revision everything was told, in the present epoch. */
        let told: Position | undefined;
        /** Whether a read has shown another history since. */
        let rebuilt = false;
        for (const make of schedule) {
          const before = positionOf(around.state);
          const wasDoubting = around.state.kind === "doubting";
          const event = around.asAnswer(make(before?.revision ?? 0n));
          if (!around.canProduce(event)) continue;
          if (event.kind === "confirmed") rebuilt ||= !event.same || !continues(before!, event.header);
          if (event.kind === "checked") rebuilt ||= !continues(event.since, event.header);
          if (event.kind === "listed") rebuilt ||= event.rebuilt;
          for (const effect of around.feed(event)) {
            if (effect.kind === "replace") {
              const sameHistory = told === undefined || (continues(told, effect.position) && !rebuilt);
              rebuilt = false;
              expect(effect.position.epoch).toBe(sameHistory ? (told?.epoch ?? 0) : told!.epoch + 1);
              told = effect.position;
            }
            if (effect.kind === "apply") {
              expect(effect.changes[0]!.modRevision).toBeGreaterThan(told!.revision);
              expect(effect.revision).toBe(effect.changes.at(-1)!.modRevision);
              told = { ...told!, revision: effect.revision };
            }
            // Everything after the last that was told, unless a report that can be trusted said there was nothing.
            if (effect.kind === "open") expect(effect.startRevision).toBe(told!.revision + 1n);
          }
          if (event.kind === "progress" && event.revision > told!.revision) {
            told = { ...told!, revision: event.revision };
          }
          if (wasDoubting && event.kind === "compared" && around.state.kind === "watching") {
            told = { ...told!, revision: event.owed };
          }
          if (event.kind === "checked" && around.stream) told = { ...told!, raftTerm: event.header.raftTerm };
          if (event.kind === "created") {
            expect(around.state.kind === "watching", "of the same history").toBe(continues(before!, event.header));
          }
          if (event.kind === "created" && around.state.kind === "watching") {
            told = { ...told!, raftTerm: event.header.raftTerm };
          }
          const after = positionOf(around.state);
          if (before && after && before.epoch === after.epoch) {
            expect(after.revision).toBeGreaterThanOrEqual(before.revision);
          }
        }
      }),
      RUNS,
    );
  });
});

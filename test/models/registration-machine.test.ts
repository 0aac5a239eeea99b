/**
 * The registration machine alone, under every order of events that its surroundings can produce, and some that they cannot.
 * The surroundings are what the runner has under way: one operation or the pause before it, a lease that is kept, a guard.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Effect,
  type Event,
  type State,
  statusOf,
  transition,
} from "../../src/registry/etcd/registration/registration-machine.js";
import { hold, timeout } from "./property.js";

const RUNS = 1_000;
// Another owner goes, a lease, a claim, and a pause before each: what the longest way back takes.
const STEPS_TO_REGISTERED = 8;

const plainTypes = [
  "granted",
  "claimed",
  "failed",
  "withdrawn",
  "renewed",
  "overdue",
  "expired",
  "lease-gone",
  "reelected",
  "replaced",
  "changed",
  "pause-over",
] as const;
/** The end of a pause is no event of the machine: the runner then does what it had put off. */
type Happening = Event | { readonly type: "pause-over" };
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(...plainTypes).map((type) => ({ type })) },
  { weight: 2, arbitrary: fc.constantFrom("lease a", "lease b").map((by) => ({ type: "taken", by }) as const) },
  { weight: 2, arbitrary: fc.constant({ type: "disturbed", reason: "its key was deleted" } as const) },
  { weight: 1, arbitrary: fc.constant({ type: "failed", reason: "permission denied" } as const) },
);
const happenings = (maxLength: number) => fc.array(happening, { maxLength, size: "max" });
const close: Happening = { type: "close" };

/** What a runner has under way for the machine, followed by its effects alone. */
class Surroundings {
  state: State = { name: "granting", first: true };
  operation: "grant" | "claim" | "withdraw" | undefined = "grant";
  pausedBefore: "grant" | "claim" | undefined;
  /** How sure the keeper is of the lease that it keeps. */
  lease: "confirmed" | "overdue" | "expired" | undefined;
  /** A fresh lease is being granted beside it. */
  replacing = false;
  /** The keys may be under a lease from before, which is kept as well. */
  moving = false;
  guarded = false;

  canProduce({ type }: Happening): boolean {
    switch (type) {
      case "granted":
        return this.operation === "grant";
      case "claimed":
        return this.operation === "claim";
      case "failed":
        return this.operation === "grant" || this.operation === "claim";
      case "withdrawn":
        return this.operation === "withdraw";
      case "taken":
        return this.operation === "claim" || this.guarded;
      case "disturbed":
        return this.guarded;
      case "renewed":
        return this.lease !== undefined; // after a slow answer too
      case "overdue":
        return this.lease === "confirmed";
      case "expired":
        return this.lease === "confirmed" || this.lease === "overdue";
      case "lease-gone":
        return this.lease !== undefined || this.operation === "claim";
      case "reelected":
        return this.lease !== undefined;
      case "replaced":
        return this.replacing;
      case "pause-over":
        return this.pausedBefore !== undefined;
      case "changed":
      case "close":
        return true;
    }
  }

  feed(event: Happening): void {
    if (event.type === "pause-over") {
      this.#begin(this.pausedBefore!);
      return;
    }
    const before = this.state.name;
    const { state, effects } = transition(this.state, event);
    this.state = state;
    if (this.#answers(event)) this.operation = undefined;
    if (event.type === "renewed") this.lease = "confirmed";
    if (event.type === "overdue" || event.type === "expired") this.lease = event.type;
    for (const effect of effects) this.#follow(effect, before);
    if (event.type === "claimed") this.moving = false; // as the runner does
  }

  /** Whether something will happen that the machine waits for. */
  get waitsForSomething(): boolean {
    if (this.state.name === "revoked") return true;
    return this.operation !== undefined || this.pausedBefore !== undefined || this.guarded || this.lease !== undefined;
  }

  #answers({ type }: Event): boolean {
    if (type === "granted" || type === "claimed" || type === "failed" || type === "withdrawn") return true;
    return this.operation === "claim" && !this.guarded && type === "taken";
  }

  #begin(operation: "grant" | "claim" | "withdraw"): void {
    this.operation = operation;
    this.pausedBefore = undefined;
    this.guarded = false;
  }

  #follow(effect: Effect, before: State["name"]): void {
    expect(before === "draining" || before === "revoked", `${effect} after the end`).toBe(false);
    switch (effect) {
      case "grant":
        expect(this.lease, "another lease beside one that is kept").toBeUndefined();
        this.#begin("grant");
        break;
      case "claim":
        expect(this.lease, "a claim without a lease").toBeDefined();
        this.#begin("claim");
        break;
      case "retry-grant":
      case "retry-claim":
        expect(this.operation, "a pause beside something under way").toBeUndefined();
        this.pausedBefore = effect === "retry-grant" ? "grant" : "claim";
        break;
      case "keep":
        expect(this.lease, "two leases at once").toBeUndefined();
        this.lease = "confirmed";
        break;
      case "forget":
        this.lease = undefined;
        this.replacing = false;
        break;
      case "release":
        this.#giveBack();
        break;
      case "replace":
        expect(this.lease, "a fresh lease in the place of none").toBeDefined();
        this.replacing = true;
        break;
      case "move":
        expect(this.replacing, "a move to no lease").toBe(true);
        this.replacing = false;
        this.moving = true;
        this.lease = "confirmed";
        break;
      case "accept-term":
        expect(before, "a term that is accepted though there was no outage").toBe("lost");
        break;
      case "guard":
        expect(this.operation, "a guard beside an operation, which would see its own writes").toBeUndefined();
        this.guarded = true;
        break;
      case "verify":
        break;
      case "withdraw":
        this.#begin("withdraw");
        this.#giveBack();
    }
  }

  #giveBack(): void {
    this.lease = undefined;
    this.replacing = false;
    this.moving = false;
  }
}

/** What a cluster that is well answers next; another owner of the key goes away. */
function healthyEvent(around: Surroundings): Happening | undefined {
  if (around.pausedBefore !== undefined) return { type: "pause-over" };
  if (around.operation === "grant") return { type: "granted" };
  if (around.operation === "claim") return { type: "claimed" };
  if (around.lease === "overdue" || around.lease === "expired") return { type: "renewed" };
  return around.state.name === "superseded" ? { type: "disturbed", reason: "its key was deleted" } : undefined;
}

function reach(schedule: readonly Happening[]): Surroundings {
  const around = new Surroundings();
  for (const each of schedule) if (around.canProduce(each)) around.feed(each);
  return around;
}

describe("the registration machine, in any order of events", { timeout }, () => {
  test("takes every event in every state, those that cannot come included, and can always say how it is", async () => {
    await hold(
      fc.property(fc.array(fc.oneof(happening, fc.constant(close)), { maxLength: 30, size: "max" }), (schedule) => {
        let state: State = { name: "granting", first: true };
        for (const event of schedule) {
          if (event.type === "pause-over") continue;
          const step = transition(state, event);
          if (state.name === "revoked") expect(step).toEqual({ state, effects: [] });
          state = step.state;
          expect(statusOf(state).state).toBeDefined();
        }
      }),
      RUNS,
    );
  });

  test("never has two leases or operations, never waits for nothing, and does nothing once it is closed", async () => {
    await hold(
      fc.property(
        fc.array(fc.oneof({ weight: 60, arbitrary: happening }, fc.constant(close)), { maxLength: 90, size: "max" }),
        (schedule) => {
          const around = new Surroundings();
          for (const each of schedule) {
            if (!around.canProduce(each)) continue;
            around.feed(each);
            const { name } = around.state;
            expect(around.waitsForSomething, `deaf in ${name}`).toBe(true);
            const isHeld = name === "claiming" || name === "registered" || name === "suspect" || name === "lost";
            expect(around.lease !== undefined, `${name}, and its lease is ${isHeld ? "not " : ""}kept`).toBe(isHeld);
            expect(around.replacing && !isHeld, `${name}, and a lease is granted that nobody wants`).toBe(false);
            const mayMove = isHeld || name === "granting";
            expect(around.moving && !mayMove, `${name}, and a former lease is kept`).toBe(false);
          }
        },
      ),
      RUNS,
    );
  });

  test("looks at its keys, or is about to, whenever it says that it is registered or superseded", async () => {
    await hold(
      fc.property(happenings(90), (schedule) => {
        const around = new Surroundings();
        for (const each of schedule) {
          if (!around.canProduce(each)) continue;
          around.feed(each);
          const { name } = around.state;
          if (name !== "registered" && name !== "suspect" && name !== "superseded") continue;
          if (around.moving) expect(around.operation ?? around.pausedBefore, "keys left where they were").toBe("claim");
          const looks = around.guarded || around.operation === "claim" || around.pausedBefore === "claim";
          expect(looks, `${name}, and blind`).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test("is registered again within a few answers of a cluster that is well, from wherever it was", async () => {
    await hold(
      fc.property(happenings(90), (schedule) => {
        const around = reach(schedule);
        for (let step = 0; step < STEPS_TO_REGISTERED && around.state.name !== "registered"; step += 1) {
          const event = healthyEvent(around);
          if (event) around.feed(event);
        }
        expect(around.state.name).toBe("registered");
      }),
      RUNS,
    );
  });

  test("is withdrawn and done within one answer, from wherever it was closed", async () => {
    await hold(
      fc.property(happenings(90), (schedule) => {
        const around = reach(schedule);
        around.feed(close);
        expect(around.operation).toBe("withdraw");
        around.feed({ type: "withdrawn" });
        expect(statusOf(around.state).state).toBe("closed");
      }),
      RUNS,
    );
  });

  test("takes keys over only as long as it was never registered", async () => {
    await hold(
      fc.property(happenings(90), (schedule) => {
        const around = new Surroundings();
        let wasRegistered = false;
        for (const each of schedule) {
          if (!around.canProduce(each)) continue;
          around.feed(each);
          const takesOver = "first" in around.state && around.state.first;
          wasRegistered ||= around.state.name === "registered" || around.state.name === "superseded";
          expect(takesOver).toBe(!wasRegistered && around.state.name !== "draining");
        }
      }),
      RUNS,
    );
  });
});

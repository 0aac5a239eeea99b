import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Effect, type Event, type State, statusOf, transition } from "./registration-machine.js";

const states: readonly State[] = [
  { name: "granting", first: true },
  { name: "claiming", first: true },
  { name: "registered" },
  { name: "suspect", reason: "quiet" },
  { name: "lost", reason: "quiet" },
  { name: "superseded", by: "lease a" },
  { name: "draining" },
  { name: "revoked" },
];

const events: readonly Event[] = [
  { type: "granted" },
  { type: "claimed" },
  { type: "failed" },
  { type: "withdrawn" },
  { type: "renewed" },
  { type: "overdue" },
  { type: "expired" },
  { type: "lease-gone" },
  { type: "reelected" },
  { type: "replaced" },
  { type: "disturbed", reason: "its key was deleted" },
  { type: "taken", by: "lease b" },
  { type: "changed" },
  { type: "close" },
];

/** `from event to`, as the module comment draws them. */
function drawn(): string[] {
  const source = readFileSync(new URL("./registration-machine.ts", import.meta.url), "utf8");
  let from = "";
  return [...source.matchAll(/^ \* {3}(\w*) +─ ([\w-]+) ─+▶ (\w+)/gm)].map(([, name, event, to]) => {
    from = name || from;
    return `${from} ${event} ${to}`;
  });
}

function implemented(): string[] {
  return states.flatMap((state) =>
    events.flatMap((event) => {
      const step = transition(state, event);
      return step.state === state && step.effects.length === 0
        ? []
        : [`${state.name} ${event.type} ${step.state.name}`];
    }),
  );
}

describe("the registration machine", () => {
  it("makes exactly the transitions drawn in its module comment", () => {
    expect(drawn().length).toBeGreaterThan(30);
    expect(implemented().sort()).toEqual(drawn().sort());
  });

  it("has an event and a state for every name in the drawing", () => {
    const names = drawn().map((line) => line.split(" "));
    expect(new Set(names.flatMap(([from, , to]) => [from, to]))).toEqual(new Set(states.map((state) => state.name)));
    expect(new Set(names.map(([, event]) => event))).toEqual(new Set(events.map((event) => event.type)));
  });

  it.each<[State["name"], Event["type"], readonly Effect[]]>([
    ["granting", "granted", ["keep", "claim"]],
    ["granting", "failed", ["retry-grant"]],
    ["granting", "close", ["withdraw"]],
    ["claiming", "claimed", ["guard"]],
    ["claiming", "taken", ["release", "guard"]],
    ["claiming", "lease-gone", ["forget", "grant"]],
    ["claiming", "failed", ["retry-claim"]],
    ["claiming", "reelected", ["replace"]],
    ["claiming", "replaced", ["move", "claim"]],
    ["claiming", "close", ["withdraw"]],
    ["registered", "renewed", ["verify"]],
    ["registered", "overdue", []],
    ["registered", "expired", []],
    ["registered", "disturbed", ["claim"]],
    ["registered", "taken", ["release", "guard"]],
    ["registered", "lease-gone", ["forget", "grant"]],
    ["registered", "changed", ["claim"]],
    ["registered", "claimed", ["guard"]],
    ["registered", "failed", ["retry-claim"]],
    ["registered", "reelected", ["replace"]],
    ["registered", "replaced", ["move", "claim"]],
    ["registered", "close", ["withdraw"]],
    ["suspect", "renewed", ["verify"]],
    ["suspect", "expired", []],
    ["suspect", "disturbed", ["claim"]],
    ["suspect", "taken", ["release", "guard"]],
    ["suspect", "lease-gone", ["forget", "grant"]],
    ["suspect", "changed", ["claim"]],
    ["suspect", "claimed", ["guard"]],
    ["suspect", "failed", ["retry-claim"]],
    ["suspect", "reelected", ["replace"]],
    ["suspect", "replaced", ["move", "claim"]],
    ["suspect", "close", ["withdraw"]],
    ["lost", "renewed", ["accept-term", "claim"]],
    ["lost", "replaced", ["move", "claim"]],
    ["lost", "disturbed", ["accept-term", "claim"]],
    ["lost", "taken", ["release", "guard"]],
    ["lost", "lease-gone", ["forget", "grant"]],
    ["lost", "close", ["withdraw"]],
    ["superseded", "disturbed", ["grant"]],
    ["superseded", "taken", []],
    ["superseded", "close", ["withdraw"]],
    ["draining", "withdrawn", []],
  ])("%s, on %s, asks for %j", (name, type, effects) => {
    const state = states.find((candidate) => candidate.name === name)!;
    const event = events.find((candidate) => candidate.type === type)!;
    expect(transition(state, event).effects).toEqual(effects);
  });

  it("takes keys over only until it was registered once", () => {
    const lostLease = transition({ name: "claiming", first: true }, { type: "lease-gone" });
    expect(lostLease.state).toMatchObject({ name: "granting", first: true });
    const again = transition({ name: "registered" }, { type: "lease-gone" });
    expect(again.state).toMatchObject({ name: "granting", first: false });
    expect(transition(again.state, { type: "granted" }).state).toMatchObject({ name: "claiming", first: false });
  });

  it("tells the user why, and by whom", () => {
    const lost = transition({ name: "registered" }, { type: "disturbed", reason: "its key was deleted" });
    expect(statusOf(lost.state)).toEqual({ state: "lost", reason: "its key was deleted" });
    expect(statusOf(transition(lost.state, { type: "taken", by: "lease 2a" }).state)).toMatchObject({
      state: "superseded",
      by: "lease 2a",
    });
    const refused = transition(lost.state, { type: "failed", reason: "permission denied" });
    expect(statusOf(refused.state)).toEqual({ state: "lost", reason: "permission denied" });
    expect(transition(refused.state, { type: "failed" }).state).toEqual(refused.state);
    const slept = transition({ name: "registered" }, { type: "expired" });
    expect(statusOf(slept.state).reason).toMatch(/^this process stood still/);
    const unheard = transition({ name: "suspect", reason: "etcd is silent" }, { type: "expired" });
    expect(statusOf(unheard.state).reason).toMatch(/^etcd has not confirmed its lease/);
    const closed = transition({ name: "draining" }, { type: "withdrawn", reason: "etcd did not answer" });
    expect(statusOf(closed.state)).toEqual({ state: "closed", reason: "etcd did not answer" });
  });
});

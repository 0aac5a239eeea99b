import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { type HealthEvent, type HealthState, transition } from "./health-machine.js";

const states: readonly HealthState[] = ["trusted", "ejected", "probing"];
const events: readonly HealthEvent[] = ["tripped", "probed", "passed", "failed", "void"];

/** `from event to`, as the module comment draws them. */
function drawn(): string[] {
  const source = readFileSync(new URL("./health-machine.ts", import.meta.url), "utf8");
  let from = "";
  return [...source.matchAll(/^ \* {3}(\w*) +─ ([\w-]+) ─+▶ (\w+)/gm)].map(([, name, event, to]) => {
    from = name || from;
    return `${from} ${event} ${to}`;
  });
}

it("makes exactly the transitions drawn in its module comment", () => {
  const implemented = states.flatMap((state) =>
    events.flatMap((event) => {
      const next = transition(state, event);
      return next === undefined ? [] : [`${state} ${event} ${next}`];
    }),
  );
  expect(drawn().length).toBeGreaterThan(5);
  expect(implemented.sort()).toEqual(drawn().sort());
});

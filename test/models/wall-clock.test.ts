/**
 * Row 34 of the fault catalogue: the system's clock jumps.
 *
 * It cannot be provoked with real processes on one machine: the wall clock is the machine's, so setting it takes root and
 * moves etcd's, the other processes' and the test runner's clock together with ours. What can be shown in virtual time is
 * stronger: everything that a registration and a watch do is the same, to the millisecond and to the byte, whether the wall
 * clock of their process jumps or not.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Membership } from "../../src/instance.js";
import { goKitLayout } from "../../src/registry/layouts/go-kit.js";
import { type Fault, fault, pass } from "./faults.js";
import { hold, timeout } from "./property.js";
import { Registrant } from "./registrant.js";
import { Watched } from "./watched.js";
import { World } from "./world.js";

const RUNS = 60;
const STEPS = 30;
const DAY_MS = 86_400_000;

interface Jump {
  readonly do: "jump";
  readonly byMs: number;
}
type Step = Jump | Fault;

const jump: fc.Arbitrary<Jump> = fc
  .constantFrom(-365 * DAY_MS, -DAY_MS, -11_000, -1, 1, 11_000, DAY_MS, 365 * DAY_MS)
  .map((byMs) => ({ do: "jump", byMs }));
const schedule = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: jump as fc.Arbitrary<Step> },
    { weight: 3, arbitrary: fault },
    { weight: 4, arbitrary: pass },
  ),
  { minLength: 1, maxLength: STEPS, size: "max" },
);

/** Everything that can be seen of a registration and a view, with the monotonic time of each. */
async function trace(steps: readonly Step[], jumps: boolean) {
  const world = new World();
  const seen: unknown[] = [];
  const staleSinceMs: number[] = [];
  const registrant = new Registrant(world, world.process("registrar"), goKitLayout(), "10.0.0.1:1");
  const watched = new Watched(world, world.process("watcher"));
  registrant.status.subscribe((status) => seen.push([world.clock.nowMs(), status]));
  watched.live.subscribe((view: Membership) => {
    const { sinceEpochMs, ...rest } = { sinceEpochMs: undefined, ...view };
    if (sinceEpochMs !== undefined) staleSinceMs.push(sinceEpochMs);
    seen.push([world.clock.nowMs(), rest]);
  });
  registrant.start();
  for (const step of steps) {
    if (step.do !== "jump") await world.perform(step);
    else if (jumps) for (const { clock } of world.processes) clock.jumpWall(step.byMs);
  }
  await world.healAll();
  await world.clock.advance(30_000);
  await registrant.close();
  await watched.close();
  return { seen, sent: world.processes.map(({ sent }) => sent), staleSinceMs };
}

describe("a wall clock that jumps", { timeout }, () => {
  test("34: changes nothing that a registration or a watch does, and nothing that they say but since when", async () => {
    await hold(
      fc.asyncProperty(schedule, async (steps) => {
        const calm = await trace(steps, false);
        const jumping = await trace(steps, true);
        expect(jumping.sent).toEqual(calm.sent);
        expect(jumping.seen).toEqual(calm.seen);
      }),
      RUNS,
    );
  });

  test("34: is what a stale view is dated by, for people to read", async () => {
    const outage = [
      { do: "pass", ms: 1_000 },
      { do: "jump", byMs: DAY_MS },
      { do: "stop member", member: 0 },
      { do: "stop member", member: 1 },
      { do: "pass", ms: 20_000 },
    ] as const;
    const [calm] = (await trace(outage, false)).staleSinceMs;
    const [jumping] = (await trace(outage, true)).staleSinceMs;
    expect(jumping! - calm!).toBe(DAY_MS);
  });
});

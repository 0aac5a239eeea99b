/**
 * A view over a cluster that hangs, forgets, moves on and is rebuilt, in any order. Whatever happens, every view that an
 * observer sees was true at the revision that it claims; and once nothing is wrong any more, the view is true now.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Fault, fault, pass } from "./faults.js";
import { hold, timeout } from "./property.js";
import { Watched } from "./watched.js";
import { PREFIX, World } from "./world.js";

const RUNS = 400;
const STEPS = 40;
/** What a watch may ask for in a step: a few rounds of pages in quick succession, and less and less often then. */
const asks = (ms: number) => 60 + ms / 100;
/** After the last fault: the longest pause, a read that was lost, a watch that is not answered, and the next try of each. */
const CONVERGED_WITHIN_MS = 20_000;

const KEYS = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"].map((address) => PREFIX + address);
const VALUES = [
  "10.0.0.1:1",
  "10.0.0.9:1",
  JSON.stringify({ Op: 0, Addr: "10.0.0.2:1", Metadata: { weight: 3 } }),
  "no address at all",
];

type Change =
  | { readonly do: "put"; readonly key: string; readonly value: string }
  | { readonly do: "delete"; readonly keys: readonly string[] }
  | { readonly do: "put elsewhere" };

const key = fc.constantFrom(...KEYS);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), key, value: fc.constantFrom(...VALUES) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("delete" as const), keys: fc.uniqueArray(key, { minLength: 1 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "put elsewhere" } as const) },
);
type Step = Change | Fault;
const everyone = { process: 0 };
/** Orders of events that matter and that chance alone seldom finds. */
const story: fc.Arbitrary<readonly Step[]> = fc.oneof(
  // A member reports progress although it lags behind, and is left.
  fc
    .record({ key, value: fc.constantFrom(...VALUES) })
    .map(({ key, value }): readonly Step[] => [
      { do: "lag member", member: 0 },
      { do: "lag member", member: 1 },
      { do: "lag member", member: 2 },
      { do: "put", key, value },
      { do: "pass", ms: 170_000 },
      { do: "cut streams", ...everyone },
      { do: "restore all members" },
    ]),
  // What is lost is written again at the same revision, with another value.
  key.map((key): readonly Step[] => [
    { do: "put", key, value: VALUES[0] ?? "" },
    { do: "pass", ms: 400 },
    { do: "rebuild", how: "from a snapshot, another id", lost: 1 },
    { do: "put", key, value: VALUES[1] ?? "" },
  ]),
);
const schedule = fc
  .array(
    fc.oneof(
      { weight: 40, arbitrary: change.map((step): readonly Step[] => [step]) },
      { weight: 40, arbitrary: fault.map((step): readonly Step[] => [step]) },
      { weight: 48, arbitrary: pass.map((step): readonly Step[] => [step]) },
      { weight: 1, arbitrary: story },
    ),
    { minLength: 1, maxLength: STEPS, size: "max" },
  )
  .map((parts) => parts.flat());
const version = fc.constantFrom("3.5.16", "3.4.23");

/** A world with one process that watches, and what it may ask for while it does. */
class Scene {
  readonly world = new World();
  readonly process = this.world.process("watcher");
  readonly watched: Watched;

  constructor(version: string) {
    this.world.cluster.version = version;
    this.process.pageSize = 2n;
    this.watched = new Watched(this.world, this.process);
  }

  async perform(step: Step): Promise<void> {
    const { process, watched } = this;
    const sent = process.sent.length;
    await this.#perform(step);
    watched.check();
    const asked = process.sent.length - sent;
    if (asked > asks(step.do === "pass" ? step.ms : 0)) watched.violations.push(`asked ${asked} times in one step`);
  }

  async #perform(step: Step): Promise<void> {
    const { world } = this;
    if (step.do === "put") world.putLeased(step.key, step.value);
    else if (step.do === "put elsewhere") world.put("/services/bookstore/10.0.0.1:1", "10.0.0.1:1");
    else if (step.do === "delete") world.delete(...step.keys);
    else await world.perform(step);
  }
}

describe("a view, whatever happens to the cluster and to the way there", { timeout }, () => {
  test("was true at the revision that it claims, and is true now soon after the last fault", async () => {
    await hold(
      fc.asyncProperty(version, schedule, async (version, steps) => {
        const scene = new Scene(version);
        const { watched, world } = scene;
        for (const step of steps) {
          await scene.perform(step);
          expect(watched.violations).toEqual([]);
        }
        await world.healAll();
        await world.clock.advance(CONVERGED_WITHIN_MS);
        expect(watched.violations).toEqual([]);
        expect(watched.isConverged, `after all was well it is ${watched.description}`).toBe(true);
        await watched.close();
      }),
      RUNS,
    );
  });

  test("leaves nothing behind when it is closed in the middle", async () => {
    await hold(
      fc.asyncProperty(version, schedule, async (version, steps) => {
        const scene = new Scene(version);
        const { watched, process, world } = scene;
        for (const step of steps) await scene.perform(step);
        await watched.close();
        const { current } = watched;
        const sent = process.sent.length;
        expect(process.clock.pendingTimers).toBe(0);
        expect(process.streams.size).toBe(0);
        world.put(KEYS[0]!, "10.0.0.7:1");
        await world.healAll();
        await world.clock.advance(CONVERGED_WITHIN_MS);
        expect(process.sent.length).toBe(sent);
        expect(watched.current).toBe(current);
        expect(watched.violations).toEqual([]);
      }),
      RUNS / 4,
    );
  });
});

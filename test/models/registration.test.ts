/**
 * A registration beside an operator who meddles and a rival with the same address, on a cluster that fails in any order.
 * Whatever happens, it never touches what is another's; and once nothing is wrong any more, it stands in the cluster with one
 * lease, and a watcher sees it.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { goKitLayout } from "../../src/registry/layouts/go-kit.js";
import type { Layout } from "../../src/registry/layouts/layout.js";
import type { ModelClient } from "./etcd/client.js";
import { type Fault, fault, pass } from "./faults.js";
import { hold, timeout } from "./property.js";
import { Registrant, TTL_MS } from "./registrant.js";
import { Watched } from "./watched.js";
import { World } from "./world.js";

const RUNS = 240;
const STEPS = 40;
const ADDRESS = "10.0.0.1:1";
/** What a deleted, revoked or stripped key takes to be back. */
const BACK_WITHIN_MS = 2_000;
/** After the last fault: a lease that another left behind, the longest pause, two tries that take all their time. */
const CONVERGED_WITHIN_MS = 4 * TTL_MS;

type Deed =
  | {
      readonly do:
        | "delete the keys"
        | "strip the lease"
        | "overwrite the value"
        | "revoke the lease"
        | "take the key over"
        | "give the key back";
    }
  | { readonly do: "rival registers" | "rival leaves" }
  | { readonly do: "update"; readonly weight: number };
type Step = Deed | Fault;

const meddling: fc.Arbitrary<Deed> = fc.constantFrom(
  { do: "delete the keys" },
  { do: "strip the lease" },
  { do: "overwrite the value" },
  { do: "revoke the lease" },
);
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: meddling },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Deed>(
      { do: "take the key over" },
      { do: "give the key back" },
      { do: "rival registers" },
      { do: "rival leaves" },
    ),
  },
  { weight: 3, arbitrary: fc.nat(3).map((weight): Deed => ({ do: "update", weight })) },
);

/** What an instance has to say of itself decides its second key, so that an update removes the one of before. */
const twoKeys: Layout = {
  ...goKitLayout(),
  name: "two keys",
  encode(service, instance, leaseId) {
    const entries = goKitLayout().encode(service, instance, leaseId);
    return [...entries, ...entries.map(({ key, value }) => ({ key: `${key}/${instance.weight ?? 0}`, value }))];
  },
};
/** As go-zero has it, beside a key that stays: the one of before is removed with the move to another lease. */
const keyOfTheLease: Layout = {
  ...goKitLayout(),
  name: "a key of the lease",
  encode(service, instance, leaseId) {
    const entries = goKitLayout().encode(service, instance, leaseId);
    return [...entries, ...entries.map(({ key, value }) => ({ key: `${key}/${leaseId}`, value }))];
  },
};
const layouts = { "go-kit": goKitLayout(), "two keys": twoKeys, "a key of the lease": keyOfTheLease };
const layout = fc.constantFrom<keyof typeof layouts>("go-kit", "two keys", "a key of the lease");
const lastingKeys = fc.constantFrom<keyof typeof layouts>("go-kit", "two keys");
const schedule = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: deed as fc.Arbitrary<Step> },
    { weight: 6, arbitrary: fault },
    { weight: 6, arbitrary: pass },
  ),
  { minLength: 1, maxLength: STEPS, size: "max" },
);

/** A registration, its rival and a watcher. */
class Scene {
  /** The registration's process, as faults count them. */
  static readonly REGISTRAR = 0;
  readonly world = new World();
  readonly #layout: Layout;
  readonly registrant: Registrant;
  readonly watched: Watched;
  readonly #rivalProcess: ModelClient;
  readonly #registrants: Registrant[] = [];
  #rival: Registrant | undefined;
  /** The key is an operator's while this lease lives. */
  #operatorLease = 0n;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.registrant = new Registrant(this.world, this.world.process("registrar"), layout, ADDRESS);
    this.#registrants.push(this.registrant);
    this.#rivalProcess = this.world.process("rival");
    this.watched = new Watched(this.world, this.world.process("watcher"), layout);
  }

  get violations(): readonly string[] {
    return [this.watched, ...this.#registrants].flatMap(({ violations }) => violations);
  }

  async perform(step: Step): Promise<void> {
    const { registrant, world } = this;
    const [key = ""] = registrant.keys;
    switch (step.do) {
      case "delete the keys":
        world.delete(...registrant.keys);
        break;
      case "strip the lease":
        world.put(key, ADDRESS);
        break;
      case "overwrite the value":
        world.overwrite(key, "10.0.0.9:9");
        break;
      case "revoke the lease":
        world.revoke(registrant.leaseId);
        break;
      case "take the key over":
        if (this.#operatorLease === 0n) this.#operatorLease = world.cluster.newLeaseId();
        world.grant(this.#operatorLease, BigInt(TTL_MS / 1_000));
        world.put(key, "10.0.0.8:8", this.#operatorLease);
        break;
      case "give the key back":
        world.revoke(this.#operatorLease);
        break;
      case "rival registers":
        if (this.#rival) break;
        this.#rival = new Registrant(world, this.#rivalProcess, this.#layout, ADDRESS);
        this.#registrants.push(this.#rival);
        this.#rival.start();
        break;
      case "rival leaves":
        if (this.#rivalProcess.clock.isAsleep) break;
        await this.#rival?.close();
        this.#rival = undefined;
        break;
      case "update":
        registrant.update({ weight: step.weight });
        break;
      default:
        await world.perform(step);
    }
    await world.clock.advance(0);
    this.watched.check();
  }

  /** Ends every fault, and the rival. */
  async calm(): Promise<void> {
    await this.world.healAll();
    await this.perform({ do: "rival leaves" });
  }
}

describe("a registration, whatever happens to the cluster, the way there and its keys", { timeout }, () => {
  test("touches nobody else's keys, and stands with one lease soon after the last fault", async () => {
    await hold(
      fc.asyncProperty(layout, fc.boolean(), schedule, async (layout, startsWell, steps) => {
        const scene = new Scene(layouts[layout]);
        const { registrant, watched, world } = scene;
        registrant.start();
        if (startsWell) await world.clock.advance(100);
        for (const step of steps) {
          await scene.perform(step);
          expect(scene.violations).toEqual([]);
        }
        await scene.calm();
        await world.clock.advance(CONVERGED_WITHIN_MS);
        expect(scene.violations).toEqual([]);
        if (registrant.outcome === "registered") {
          expect(registrant.state).toBe("registered");
          expect(registrant.stands, `${registrant.keys} as it was written`).toBe(true);
          expect(registrant.held).toEqual(registrant.keys);
          expect(registrant.leases).toEqual([registrant.leaseId]);
          await scene.perform({ do: "delete the keys" });
          await world.clock.advance(BACK_WITHIN_MS);
          expect(registrant.stands, `${registrant.keys}, deleted once more`).toBe(true);
        } else {
          expect(registrant.outcome).toMatchObject({ code: expect.stringMatching(/REGISTRY_(DENIED|FAILED)/) });
          expect(steps.some((step) => step.do === "fate" && step.fate.kind === "refused")).toBe(true);
          expect(registrant.held).toEqual([]);
          expect(registrant.leases).toEqual([]);
        }
        expect(watched.isConverged, `the view is ${watched.description}`).toBe(true);
      }),
      RUNS,
    );
  });

  test("leaves nothing behind when it is closed in the middle, and its keys are gone within a TTL", async () => {
    await hold(
      fc.asyncProperty(layout, schedule, async (layout, steps) => {
        const scene = new Scene(layouts[layout]);
        const { registrant, world } = scene;
        registrant.start();
        for (const step of steps) await scene.perform(step);
        await registrant.process.clock.wake();
        await registrant.close();
        await registrant.process.close();
        const { process } = registrant;
        const sent = process.sent.length;
        expect(process.clock.pendingTimers).toBe(0);
        expect(process.streams.size).toBe(0);
        await scene.calm();
        await world.clock.advance(2 * TTL_MS);
        expect(process.sent.length).toBe(sent);
        expect(registrant.held).toEqual([]);
        expect(registrant.leases).toEqual([]);
        expect(scene.violations).toEqual([]);
      }),
      RUNS / 2,
    );
  });
});

describe("a registration on a cluster that is well", { timeout }, () => {
  test("is back within 2 s of whatever an operator does to its keys, and gone within 1 s of its end", async () => {
    const cut: Fault = { do: "cut streams", process: Scene.REGISTRAR };
    const steps = fc.array(
      fc.tuple(
        fc.oneof(meddling as fc.Arbitrary<Step>, fc.constant(cut)),
        fc.integer({ min: BACK_WITHIN_MS, max: 2 * TTL_MS }),
      ),
      {
        minLength: 1,
        maxLength: 8,
      },
    );
    await hold(
      fc.asyncProperty(layout, steps, async (layout, steps) => {
        const scene = new Scene(layouts[layout]);
        const { registrant, watched, world } = scene;
        registrant.start();
        await world.clock.advance(100);
        for (const [deed, ms] of steps) {
          await scene.perform(deed);
          await world.clock.advance(BACK_WITHIN_MS);
          expect(registrant.stands, `${BACK_WITHIN_MS} ms after: ${deed.do}`).toBe(true);
          expect(registrant.state).toBe("registered");
          expect(watched.isConverged).toBe(true);
          await world.clock.advance(ms - BACK_WITHIN_MS);
        }
        await Promise.all([registrant.close(), world.clock.advance(1_000)]);
        expect(registrant.held).toEqual([]);
        expect(scene.violations).toEqual([]);
      }),
      RUNS / 2,
    );
  });
});

describe("a registration whose cluster fails, and whose network does not", { timeout }, () => {
  test("keeps its keys without a gap, however long there is no leader, and whatever a leader that wakes has missed", async () => {
    const outage = fc.oneof(
      fc
        .record({ do: fc.constantFrom("hang member", "stop member", "restore member"), member: fc.nat(2) })
        .map((fault) => fault as Fault),
      fc.constantFrom<Fault>(
        { do: "restore all members" },
        { do: "elect" },
        { do: "cut streams", process: Scene.REGISTRAR },
      ),
      pass,
      pass,
    );
    const outages = fc.array(outage, { minLength: 1, maxLength: STEPS, size: "max" });
    await hold(
      fc.asyncProperty(lastingKeys, outages, async (layout, steps) => {
        const scene = new Scene(layouts[layout]);
        const { registrant, watched, world } = scene;
        registrant.start();
        await world.clock.advance(100);
        const instances = () => watched.current.state !== "pending" && watched.current.instances;
        const shown = instances();
        let gaps = 0;
        world.cluster.onDeed(() => {
          const { now } = world.cluster.history;
          if (!registrant.keys.every((key) => now.has(key))) gaps += 1;
        });
        for (const step of steps) {
          await scene.perform(step);
          expect(gaps, "how often a key was away").toBe(0);
        }
        await scene.calm();
        await world.clock.advance(CONVERGED_WITHIN_MS);
        expect(gaps).toBe(0);
        expect(registrant.stands).toBe(true);
        expect(registrant.state).toBe("registered");
        expect(registrant.leases).toEqual([registrant.leaseId]);
        expect(instances(), "a move is no news to a watcher").toBe(shown);
      }),
      RUNS,
    );
  });

  test("keeps its lease through an outage of more than its TTL", async () => {
    const down = fc.constantFrom("hang member", "stop member");
    const outages = fc.array(fc.record({ down, downMs: fc.integer({ min: TTL_MS, max: 4 * TTL_MS }) }), {
      minLength: 1,
    });
    await hold(
      fc.asyncProperty(layout, outages, async (layout, outages) => {
        const scene = new Scene(layouts[layout]);
        const { registrant, world } = scene;
        registrant.start();
        await world.clock.advance(100);
        const { leaseId } = registrant;
        for (const { down, downMs } of outages) {
          for (const member of [0, 1]) await scene.perform({ do: down, member } as Fault);
          await world.clock.advance(downMs);
          await scene.perform({ do: "restore all members" });
          await world.clock.advance(CONVERGED_WITHIN_MS);
          expect(registrant.leaseId).toBe(leaseId);
          expect(registrant.state).toBe("registered");
        }
      }),
      RUNS / 8,
    );
  });
});

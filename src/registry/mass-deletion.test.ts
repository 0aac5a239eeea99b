import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Instance } from "../instance.js";
import { MassDeletionBrake, type MassDeletionBrakeOptions, massDeletionRule } from "./mass-deletion.js";

const RULE = { windowMs: 10_000, minInstances: 4, graceMs: 60_000 };

const named = (id: string): Instance => ({ id, address: `${id}:1` });
const names = (count: number, prefix = "i") => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** A set of instances that changes as a test says, under the brake. */
function service(...present: readonly string[]) {
  const brake = new MassDeletionBrake(RULE);
  const set = new Map(present.map((id) => [id, named(id)]));
  const change = (nowMs: number, { gone = [] as readonly string[], come = [] as readonly (string | Instance)[] }) => {
    const left = gone.map((id) => set.get(id) as Instance); // the tests name who is there
    for (const id of gone) set.delete(id);
    const arrived = come.map((each) => (typeof each === "string" ? named(each) : each));
    for (const instance of arrived) set.set(instance.id, instance);
    brake.changed({ gone: left, come: arrived, present: set.size }, nowMs);
  };
  return {
    brake,
    change,
    retained: () => brake.retained.map(({ id }) => id),
    present: () => [...set.keys()],
  };
}

describe("the brake on mass deletion", () => {
  it("retains everybody when all of four vanish at once", () => {
    const { change, retained } = service("d", "c", "b", "a");
    change(5, { gone: ["d", "a", "c", "b"] });
    expect(retained()).toEqual(["a", "b", "c", "d"]);
  });

  it.each([
    [4, 2, false],
    [4, 3, true],
    [5, 2, false],
    [5, 3, true],
    [10, 5, false],
    [10, 6, true],
    [3, 3, false],
    [1, 1, false],
  ])("of %i, %i vanish: engaged %s", (before, vanish, engaged) => {
    const { change, retained, present } = service(...names(before));
    change(0, { gone: present().slice(0, vanish) });
    expect(retained()).toHaveLength(engaged ? vanish : 0);
  });

  it("counts what vanishes over several revisions within the window, and retains the first of them too", () => {
    const { change, retained } = service(...names(10));
    for (let n = 0; n < 5; n += 1) change(n * 1_900, { gone: [`i${n}`] });
    expect(retained()).toEqual([]);
    change(9_900, { gone: ["i5"] });
    expect(retained()).toEqual(names(6));
  });

  it("takes no part in a service that is shut down one by one over longer than the window", () => {
    const { change, retained } = service(...names(8));
    for (let n = 0; n < 8; n += 1) change(n * 6_000, { gone: [`i${n}`] });
    expect(retained()).toEqual([]);
  });

  it("does not see a deployment that replaces one after the other, even of all within minutes", () => {
    const { change, retained } = service(...names(8));
    for (let n = 0; n < 8; n += 1) change(n * 3_000, { come: [`new${n}`], gone: [`i${n}`] });
    expect(retained()).toEqual([]);
  });

  it("retains the old ones when all are replaced at once: a registry restored from an old backup looks the same", () => {
    const { change, retained } = service(...names(4));
    change(0, { gone: names(4), come: names(4, "old") });
    expect(retained()).toEqual(names(4));
  });

  it("lets go of whoever is registered again, and counts nobody twice who comes and goes", () => {
    const { change, retained } = service(...names(4));
    change(0, { gone: names(4) });
    change(1_000, { come: ["i1", "i2"] });
    expect(retained()).toEqual(["i0", "i3"]);
    change(2_000, { come: ["i0", "i3"] });
    expect(retained()).toEqual([]);
    change(3_000, { gone: names(4) });
    expect(retained()).toEqual(names(4));
  });

  it("lets go of an address that is registered again under another key", () => {
    const { change, retained } = service(...names(4));
    change(0, { gone: names(4) });
    change(1_000, { come: [{ id: "lease-7", address: "i2:1" }] });
    expect(retained()).toEqual(["i0", "i1", "i3"]);
  });

  it("retains nobody who said that it drains, and does not count it", () => {
    const { change, retained } = service(...names(4));
    change(0, { gone: names(2) });
    change(1, { come: names(2).map((id) => ({ ...named(id), draining: true })) });
    change(2, { gone: names(3) });
    expect(retained()).toEqual([]);
    change(3, { gone: ["i3"] });
    expect(retained()).toEqual([]);
  });

  it("forgets whoever is not registered again within the grace time, each in its own time", () => {
    const { brake, change, retained } = service(...names(5));
    expect(brake.releaseMs).toBe(Number.POSITIVE_INFINITY);
    change(0, { gone: ["i0", "i1", "i2"] });
    change(1_000, { gone: ["i3"] });
    expect(brake.releaseMs).toBe(60_000);
    expect(brake.release(59_999)).toBe(0);
    expect(brake.release(60_000)).toBe(3);
    expect(retained()).toEqual(["i3"]);
    expect(brake.releaseMs).toBe(61_000);
    expect(brake.release(61_000)).toBe(1);
    expect(brake.releaseMs).toBe(Number.POSITIVE_INFINITY);
  });

  it("does not count the time in which nobody could come back", () => {
    const { brake, change } = service(...names(14));
    change(0, { gone: names(8) });
    change(45_000, { gone: ["i8", "i9", "i10", "i11"] });
    brake.extend(40_000, 50_000);
    expect(brake.release(69_999)).toBe(0);
    expect(brake.release(70_000)).toBe(8);
    expect(brake.release(109_999)).toBe(0);
    expect(brake.release(110_000)).toBe(4);
  });

  it("gives one array as long as the retained are the same", () => {
    const { brake, change } = service(...names(4));
    const none = brake.retained;
    change(0, { gone: ["i0"] });
    expect(brake.retained).toBe(none);
    change(1, { gone: ["i1", "i2"] });
    const three = brake.retained;
    change(2, { come: ["new"] });
    expect(brake.retained).toBe(three);
  });

  it("takes nobody for present who came before the window, however long nothing was looked at", () => {
    const { change, retained } = service(...names(20));
    for (let n = 0; n < 8; n += 1) change(n, { come: [`new${n}`] });
    for (let n = 0; n < 8; n += 1) change(11_000 + n, { gone: [`new${n}`] });
    expect(retained()).toEqual([]);
    change(12_000, { gone: names(10) });
    expect(retained()).toHaveLength(18);
  });

  const pauses = fc.nat(4_000);

  it("never retains who is present, whoever comes and goes", () => {
    const step = fc.record({ afterMs: pauses, toggled: fc.uniqueArray(fc.nat(11), { maxLength: 8 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { brake, change, present, retained } = service(...names(6));
        let nowMs = 0;
        for (const { afterMs, toggled } of steps) {
          nowMs += afterMs;
          const before = new Set(present());
          const ids = toggled.map((n) => `i${n}`);
          change(nowMs, { gone: ids.filter((id) => before.has(id)), come: ids.filter((id) => !before.has(id)) });
          brake.release(nowMs);
          const here = new Set(present());
          expect(retained().filter((id) => here.has(id))).toEqual([]);
        }
      }),
    );
  });

  it("retains all that vanished within the window whenever they were most of what was there at its start", () => {
    const step = fc.record({ afterMs: pauses, leave: fc.array(fc.nat(), { maxLength: 5 }), come: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { change, present, retained } = service(...names(6));
        const history = [{ atMs: Number.NEGATIVE_INFINITY, set: present() }];
        let nowMs = 0;
        let named = 6;
        for (const { afterMs, leave, come } of steps) {
          nowMs += afterMs;
          const before = present();
          const gone = new Set(leave.flatMap((n) => before[n % before.length] ?? []));
          change(nowMs, { gone: [...gone], come: Array.from({ length: come }, () => `i${named++}`) });
          history.push({ atMs: nowMs, set: present() });
          const start = history.findLast(({ atMs }) => atMs <= nowMs - RULE.windowMs)?.set ?? [];
          const vanished = start.filter((id) => !present().includes(id));
          if (start.length >= RULE.minInstances && vanished.length * 2 > start.length) {
            expect(retained()).toEqual(expect.arrayContaining(vanished));
          }
        }
      }),
    );
  });
});

describe("the options of the brake", () => {
  it.each([
    [{ windowMs: 0 }, /`massDeletionBrake.windowMs` is 0: give milliseconds, more than 0/],
    [{ graceMs: Number.NaN }, /`massDeletionBrake.graceMs` is NaN/],
    [{ minInstances: 0 }, /`massDeletionBrake.minInstances` is 0: give a whole number of instances, at least 1/],
    [{ window: 1 }, /massDeletionBrake has no option `window`; it has windowMs, minInstances, graceMs/],
  ])("refuse %j", (options, message) => {
    expect(() => massDeletionRule(options as MassDeletionBrakeOptions)).toThrow(message);
  });
});

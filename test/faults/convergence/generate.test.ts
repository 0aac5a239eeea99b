import { expect, describe as group, it } from "vitest";
import { generate } from "./generate.js";
import { describe, FAULTS_MS, kindOf } from "./schedule.js";

const seeds = Array.from({ length: 200 }, (_, seed) => seed);

group("the schedule of a seed", () => {
  it("is always the same, and not that of another", () => {
    for (const seed of seeds.slice(0, 10)) {
      expect(generate(seed)).toEqual(generate(seed));
      expect(describe(generate(seed))).not.toBe(describe({ ...generate(seed + 1), seed }));
    }
  });

  it("is in order of time, and ends in time", () => {
    for (const { actions } of seeds.map(generate)) {
      const times = actions.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.every((atMs) => atMs >= 0 && atMs < FAULTS_MS)).toBe(true);
    }
  });

  it("does to a participant only what can be done to it", () => {
    for (const schedule of seeds.map(generate)) {
      const standings = new Map<string, "running" | "paused">();
      for (const action of schedule.actions) {
        if (action.kind !== "registrar" && action.kind !== "client") continue;
        const standing = standings.get(action.name);
        const { act } = action;
        const needed = act === "start" ? undefined : act === "resume" ? "paused" : "running";
        expect(standing, `seed ${schedule.seed}: ${kindOf(action)}`).toBe(needed);
        if (act === "kill" || act === "deregister") standings.delete(action.name);
        else standings.set(action.name, act === "pause" ? "paused" : "running");
      }
    }
  });

  it("has two servers on one address in each seed, and both lines of etcd among the seeds", () => {
    for (const { registrars } of seeds.map(generate)) {
      expect(new Set(registrars.map(({ address }) => address)).size).toBe(registrars.length - 1);
    }
    expect(new Set(seeds.map((seed) => generate(seed).etcd))).toEqual(new Set(["3.4", "3.5"]));
  });
});

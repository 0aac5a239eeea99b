import { expect, test } from "vitest";
import { random, roundRobin } from "../index.js";
import { simulate } from "./run.js";
import { doneAt, type Scenario } from "./scenario.js";
import { summarize } from "./summary.js";

const base: Scenario = {
  name: "test",
  description: "",
  durationMs: 10_000,
  rate: 100,
  servers: [{ count: 4, latency: { constantMs: 10 } }],
};
const alone = { strategy: roundRobin(), retry: false } as const;

test("a seed repeats a run to the last call, and another seed does not", async () => {
  const scenario = { ...base, servers: [{ count: 4, latency: { exponentialMs: 10 } }] };
  const first = await simulate(scenario, { strategy: random() }, 7);
  expect(await simulate(scenario, { strategy: random() }, 7)).toEqual(first);
  expect(await simulate(scenario, { strategy: random() }, 8)).not.toEqual(first);
});

test("every strategy meets the same arrivals", async () => {
  const arrivals = async (strategy: ReturnType<typeof random>) =>
    (await simulate(base, { strategy }, 1)).calls.map(({ beganMs }) => beganMs);
  expect(await arrivals(random())).toEqual(await arrivals(roundRobin()));
});

test("calls come at the rate that was asked for, whatever becomes of them", async () => {
  const even = await simulate({ ...base, arrivals: "even" }, alone, 1);
  expect(even.calls.length).toBe(999);
  const hanging: Scenario = {
    ...base,
    durationMs: 100_000,
    timeoutMs: 1_000,
    servers: [{ latency: { constantMs: 1 }, phases: [{ fromMs: 0, condition: "hangs" }] }],
  };
  const { calls, failed, latencyMs } = summarize([await simulate(hanging, alone, 1)]);
  expect(Math.abs(calls - 10_000)).toBeLessThan(300); // three standard deviations
  expect(failed).toBe(calls);
  expect(latencyMs.p50).toBeNaN();
});

test("a worker takes one call after another, in their order", async () => {
  const queue: Scenario = { ...base, arrivals: "even", rate: 10, durationMs: 1_000 };
  const { calls } = await simulate({ ...queue, servers: [{ workers: 1, latency: { constantMs: 150 } }] }, alone, 1);
  const waits = calls.map(({ tookMs }) => Math.round(tookMs));
  expect(waits).toEqual([150, 200, 250, 300, 350, 400, 450, 500, 550]);
});

test("a single queue is as long as queueing theory says", async () => {
  const mm1: Scenario = {
    ...base,
    durationMs: 1_000_000,
    timeoutMs: Number.POSITIVE_INFINITY,
    servers: [{ workers: 1, latency: { exponentialMs: 5 } }],
  };
  const { latencyMs } = summarize([await simulate(mm1, alone, 1)]);
  expect(latencyMs.mean).toBeGreaterThan(9.5); // 5 ms / (1 - 0.5)
  expect(latencyMs.mean).toBeLessThan(10.5);
});

test("a server that is down fails what it had, refuses what comes, and is found again", async () => {
  const scenario: Scenario = {
    ...base,
    rate: 1_000,
    servers: [
      { count: 3, latency: { constantMs: 100 } },
      { latency: { constantMs: 100 }, phases: [{ fromMs: 3_000, untilMs: 5_000, condition: "down" }] },
    ],
  };
  const recording = await simulate(scenario, alone, 1);
  const lost = recording.calls.filter(({ ok }) => !ok);
  expect(lost.length).toBeGreaterThan(10); // a quarter of the hundred in progress
  expect(lost.every(({ beganMs }) => beganMs > 2_900 && beganMs <= 3_000)).toBe(true);
  const there = recording.attempts.filter(({ server }) => server === 3).map(({ atMs }) => atMs);
  expect(there.filter((atMs) => atMs > 3_000 && atMs < 5_000)).toEqual([]);
  expect(there.filter((atMs) => atMs > 6_000).length).toBeGreaterThan(800);
});

test("servers join and leave", async () => {
  const scenario: Scenario = {
    ...base,
    rate: 1_000,
    servers: [
      { latency: { constantMs: 1 }, leaveMs: 6_000 },
      { latency: { constantMs: 1 }, joinMs: 4_000 },
    ],
  };
  const { attempts } = await simulate(scenario, alone, 1);
  const times = [0, 1].map((place) => attempts.filter(({ server }) => server === place).map(({ atMs }) => atMs));
  expect(Math.max(...(times[0] ?? []))).toBeLessThan(6_000);
  expect(Math.min(...(times[1] ?? []))).toBeGreaterThan(4_000);
  expect(attempts.length).toBeGreaterThan(9_500);
});

test("a cold server becomes faster, and a slow one is slow for a while", async () => {
  const took = async (phases: Scenario["servers"][number]["phases"], fromMs: number, untilMs: number) => {
    const scenario = { ...base, servers: [{ latency: { constantMs: 10 }, ...(phases && { phases }) }] };
    const { calls } = await simulate(scenario, alone, 1);
    const some = calls.filter(({ beganMs }) => fromMs <= beganMs && beganMs < untilMs);
    return some.reduce((sum, { tookMs }) => sum + tookMs, 0) / some.length;
  };
  const cold = [{ fromMs: 0, untilMs: 8_000, condition: "cold", factor: 4 }] as const;
  expect(await took(cold, 0, 2_000)).toBeCloseTo(40);
  expect(await took(cold, 3_900, 4_100)).toBeCloseTo(20, 0);
  expect(await took(cold, 8_000, 10_000)).toBeCloseTo(10);
  const slow = [{ fromMs: 2_000, untilMs: 4_000, condition: "slow", factor: 3 }] as const;
  expect(await took(slow, 2_000, 4_000)).toBeCloseTo(30);
  expect(await took(slow, 4_000, 10_000)).toBeCloseTo(10);
});

test("a server that pauses answers later what it has and what comes, and then goes on as before", async () => {
  const pause = { fromMs: 3_000, untilMs: 5_000, condition: "pauses" } as const;
  const scenario: Scenario = {
    ...base,
    arrivals: "even",
    servers: [{ latency: { constantMs: 105 }, phases: [pause] }],
  };
  const { calls } = await simulate(scenario, { ...alone, ejection: false }, 1);
  const tookMs = (beganMs: number) =>
    Math.round(calls.find((call) => Math.abs(call.beganMs - beganMs) < 1)?.tookMs ?? 0);
  expect([2_890, 2_900, 2_990].map(tookMs)).toEqual([105, 2_105, 2_105]); // what it has stands still
  expect([3_000, 3_500, 4_990].map(tookMs)).toEqual([2_105, 1_605, 115]);
  expect([5_000, 9_000].map(tookMs)).toEqual([105, 105]);
  expect(calls.every(({ ok }) => ok)).toBe(true);
});

test("pauses that overlap, in whatever order, hold work up once", () => {
  const pauses = [
    { fromMs: 40, untilMs: 60, condition: "pauses" },
    { fromMs: 10, untilMs: 30, condition: "pauses" },
    { fromMs: 20, untilMs: 35, condition: "pauses" },
  ] as const;
  const group = { latency: { constantMs: 1 }, phases: pauses };
  expect(doneAt(group, 0, 10)).toBe(10);
  expect(doneAt(group, 0, 15)).toBe(40);
  expect(doneAt(group, 0, 16)).toBe(61);
  expect(doneAt(group, 25, 5)).toBe(40);
  expect(doneAt(group, 60, 5)).toBe(65);
});

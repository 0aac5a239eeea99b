/**
 * The scenarios of Finagle's balancersim (`finagle-benchmark/…/balancersim/Simulation.scala`): ten servers, 1,250 calls a
 * second, 45 s. It publishes no figures; what is held here is by how much the default is better than its alternatives.
 */
import { expect, test } from "vitest";
import { type Recording, scenarioNamed, simulate, summarize } from "../../src/simulate/index.js";
import { alone, mean, shipped, summaries } from "./support.js";

test.each([
  { scenario: "slow-middle", thanTurns: 25, thanPending: 4 },
  { scenario: "cold-start", thanTurns: 5, thanPending: 2 },
])(
  "$scenario: the slow server gets $thanTurns times fewer calls than by turns, $thanPending times fewer than by calls in progress",
  async ({ scenario, thanTurns, thanPending }) => {
    const faulty = async (name: string) => mean((await summaries(scenario, alone(name), 1)).map((run) => run.faulty));
    const ours = mean((await summaries(scenario, alone("p2c"), 2)).map((run) => run.faulty));
    expect((await faulty("round-robin")) / ours).toBeGreaterThan(thanTurns);
    expect((await faulty("p2c:pending")) / ours).toBeGreaterThan(thanPending);
  },
);

test.each(["failed-then-back", "failed-for-good"])(
  "%s: no call fails, and none is sent to who is gone",
  async (name) => {
    const [{ failed, faulty, attempts, calls } = summarize([])] = await summaries(name, shipped, 1);
    expect([failed, faulty]).toEqual([0, 0]);
    expect(attempts - calls).toBeLessThan(50); // what was in progress there: 1,250/s × 0.17 s / 10 = 21
  },
);

test("slow-middle: not one call in a hundred is slow by the default", async () => {
  const [{ latencyMs } = summarize([])] = await summaries("slow-middle", shipped, 1);
  expect(latencyMs.p99).toBeLessThanOrEqual(200);
});

test("failed-then-back: within five seconds it gets nine tenths of its share again", async () => {
  const recording = await simulate(scenarioNamed("failed-then-back"), shipped, 1);
  expect(shareOf(recording, 9, 30_000, 45_000)).toBeGreaterThan(0.9);
});

test("mixed: of a slow, a failing, a hanging, a lost and a cold server no caller hears but by a few slow calls", async () => {
  const [{ failed, attempts, calls, latencyMs } = summarize([])] = await summaries("mixed", shipped, 1);
  expect(failed).toBe(0);
  expect(attempts / calls).toBeLessThan(1.005);
  expect(latencyMs.p999).toBeLessThan(1_000);
});

/** What a server gets of its fair share, from and until. */
function shareOf({ attempts }: Recording, server: number, fromMs: number, untilMs: number): number {
  const placed = attempts.filter(({ atMs }) => fromMs <= atMs && atMs < untilMs);
  return placed.filter((attempt) => attempt.server === server).length / (placed.length / 10);
}

/**
 * One server of eleven is slow, fails at once, or hangs, at 1,000 calls a second. Round robin sends it one call in eleven.
 * The set-up is Linkerd's "Beyond Round Robin" (2016); the share of all calls of the minute is what is compared.
 */
import { expect, test } from "vitest";
import { type Scenario, scenarioNamed } from "../../src/simulate/index.js";
import { alone, mean, summaries } from "./support.js";

test("a slow server gets 0.085 % of the calls, and the slowest in a thousand is a usual one", async () => {
  const runs = await summaries("slow-backend", alone("p2c"), 10);
  const shares = runs.map(({ faulty, calls }) => faulty / calls);
  expect(mean(shares)).toBeLessThanOrEqual(0.000_85);
  expect(Math.max(...shares)).toBeLessThanOrEqual(0.001);
  for (const { latencyMs } of runs) expect(latencyMs.p999).toBeLessThanOrEqual(200);
});

test("by the calls in progress alone it gets half a percent, by turns its eleventh of the time", async () => {
  const [byPending] = await summaries("slow-backend", alone("p2c:pending"), 1);
  expect(shareOf(byPending)).toBeLessThanOrEqual(0.0055);
  expect(shareOf(byPending)).toBeGreaterThan(0.004);
  const [byTurns] = await summaries("slow-backend", alone("round-robin"), 1);
  expect(shareOf(byTurns)).toBeCloseTo(1 / 22, 3);
});

test("a server that fails at once gets half a percent of the calls at most, without ejection", async () => {
  for (const { faulty, whileFaulty } of await summaries("fast-failing", alone("p2c"), 2)) {
    expect(faulty / whileFaulty).toBeLessThanOrEqual(0.005);
  }
});

test("by the calls in progress alone it is the favourite: two elevenths, what two choices bound it to", async () => {
  const [byPending] = await summaries("fast-failing", alone("p2c:pending"), 1);
  expect((byPending?.faulty ?? 0) / (byPending?.whileFaulty ?? 0)).toBeCloseTo(2 / 11, 1);
});

test("a server that never answers swallows 25 calls at most, those in progress included, of 30,000 that no deadline ends", async () => {
  for (const { failed } of await summaries(hangingForGood(), alone("p2c"), 2)) expect(failed).toBeLessThanOrEqual(25);
});

/** Nobody gives up: what is swallowed stays. */
function hangingForGood(): Scenario {
  const { servers, ...hanging } = scenarioNamed("hanging");
  return { ...hanging, durationMs: 45_000, timeoutMs: 1_000_000, servers };
}

function shareOf(summary: { readonly faulty: number; readonly calls: number } | undefined): number {
  return summary === undefined ? Number.NaN : summary.faulty / summary.calls;
}

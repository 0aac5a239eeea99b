/**
 * A twelfth server joins eleven. In its first 160 ms, before it can have answered, it should get about what the others get:
 * much more would bury a server that is cold, much less would waste it.
 */
import { expect, test } from "vitest";
import { type Scenario, scenarioNamed, simulate } from "../../src/simulate/index.js";
import { alone, mean } from "./support.js";

const JOIN_MS = 3_000;
const ROUND_TRIP_MS = 160;
const [{ latency } = { latency: { constantMs: 0 } }] = scenarioNamed("join").servers;

/** What the new server gets of its fair share in the first round trip. */
async function firstShare(scenario: Pick<Scenario, "clients" | "rate">, seed: number): Promise<number> {
  const joining: Scenario = {
    name: "join",
    description: "a 12th server joins",
    durationMs: JOIN_MS + ROUND_TRIP_MS,
    servers: [
      { count: 11, latency },
      { latency, joinMs: JOIN_MS },
    ],
    ...scenario,
  };
  const { attempts } = await simulate(joining, alone("p2c"), seed);
  const placed = attempts.filter(({ atMs }) => atMs >= JOIN_MS);
  return placed.filter(({ server }) => server === 11).length / (placed.length / 12);
}

async function meanShare(scenario: Pick<Scenario, "clients" | "rate">): Promise<number> {
  const shares: number[] = [];
  for (let seed = 1; seed <= 20; seed += 1) shares.push(await firstShare(scenario, seed));
  return mean(shares);
}

test("of one busy client it gets 0.3 to 1.2 of its share", async () => {
  const share = await meanShare({ clients: 1, rate: 1_000 });
  expect(share).toBeGreaterThanOrEqual(0.3);
  expect(share).toBeLessThanOrEqual(1.2);
});

test("of a hundred clients together it gets at most 1.5 of its share", async () => {
  const share = await meanShare({ clients: 100, rate: 1_000 });
  expect(share).toBeGreaterThanOrEqual(0.3);
  expect(share).toBeLessThanOrEqual(1.5);
});

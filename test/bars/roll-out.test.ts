/**
 * All servers are replaced, one every five seconds: a new one joins, and two seconds later an old one leaves. Nobody should be
 * buried meanwhile, the last old one neither, and everybody should be used. (The figures are 1.45 with slow start, 1.2 as shipped.)
 */
import { expect, test } from "vitest";
import { roundRobin, slowStart } from "../../src/index.js";
import { type ClientUnderTest, type Scenario, scenarioNamed, simulate } from "../../src/simulate/index.js";
import { shipped } from "./support.js";

const EVERY_MS = 5_000;
const BOTH_MS = 2_000;
const [{ latency } = { latency: { constantMs: 0 } }] = scenarioNamed("join").servers;

function rollOut(servers: number): Scenario {
  const each = Array.from({ length: servers }, (_, n) => (n + 1) * EVERY_MS);
  return {
    name: "roll-out",
    description: `${servers} servers are replaced`,
    durationMs: (servers + 2) * EVERY_MS,
    rate: 600,
    clients: 5,
    servers: [
      ...each.map((atMs) => ({ latency, leaveMs: atMs + BOTH_MS })),
      ...each.map((atMs) => ({ latency, joinMs: atMs })),
    ],
  };
}

/** Second by second: what the busiest server gets of its share, and how often one that is there gets nothing. */
async function busiest(servers: number, underTest: ClientUnderTest) {
  const scenario = rollOut(servers);
  const { attempts, calls } = await simulate(scenario, underTest, 1);
  let most = 0;
  let idle = 0;
  for (let fromMs = EVERY_MS; fromMs < scenario.durationMs; fromMs += 1_000) {
    const within = attempts.filter(({ atMs }) => fromMs <= atMs && atMs < fromMs + 1_000);
    for (const [place, { joinMs = 0, leaveMs = scenario.durationMs }] of scenario.servers.entries()) {
      const taken = within.filter(({ server }) => server === place).length;
      most = Math.max(most, (taken / within.length) * servers);
      if (joinMs <= fromMs && fromMs + 1_000 <= leaveMs && taken === 0) idle += 1;
    }
  }
  return { most, idle, failed: calls.filter(({ ok }) => !ok).length };
}

test.each([
  ["slow start over turns", 3, { strategy: slowStart(roundRobin()) }],
  ["slow start over turns", 10, { strategy: slowStart(roundRobin()) }],
  ["what is shipped", 3, shipped],
  ["what is shipped", 10, shipped],
])("%s keeps each of %i servers below 1.6 times its share, in every second", async (_, servers, underTest) => {
  const { most, idle, failed } = await busiest(servers, underTest);
  expect(failed).toBe(0);
  expect(idle).toBe(0);
  expect(most).toBeLessThan(1.6);
});

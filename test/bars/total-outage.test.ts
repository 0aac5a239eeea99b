/** Every server fails every call for a minute, at 1,000 calls a second and three attempts each. */
import { expect, test } from "vitest";
import { type Scenario, scenarioNamed, simulate } from "../../src/simulate/index.js";
import { shipped, summaries } from "./support.js";

test("a total outage is met with 1.22 times the calls as attempts, and not three times", async () => {
  const [{ calls, failed, attempts } = { calls: 0, failed: 0, attempts: 0 }] = await summaries(
    "total-outage",
    shipped,
    1,
  );
  expect(calls).toBeGreaterThan(59_000);
  expect(failed).toBe(calls);
  expect(attempts / calls).toBeLessThanOrEqual(1.22);
  expect(attempts / calls).toBeGreaterThan(1.15); // the budget is there to be used
});

test("within ten seconds of the end of an outage of ten minutes all servers are used alike", async () => {
  const endMs = 600_000;
  const [{ latency } = { latency: { constantMs: 0 } }] = scenarioNamed("total-outage").servers;
  const outage: Scenario = {
    name: "outage",
    description: "all ten servers fail for ten minutes",
    durationMs: endMs + 30_000,
    rate: 100,
    servers: [{ count: 10, latency, phases: [{ fromMs: 0, untilMs: endMs, condition: "fails", afterMs: 1 }] }],
  };
  const { attempts } = await simulate(outage, shipped, 1);
  const after = attempts.filter(({ atMs }) => atMs >= endMs + 10_000);
  for (let place = 0; place < 10; place += 1) {
    const share = after.filter(({ server }) => server === place).length / (after.length / 10);
    expect(share).toBeGreaterThan(0.7);
  }
});

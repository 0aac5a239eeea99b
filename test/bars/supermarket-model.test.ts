/**
 * The supermarket model: Poisson arrivals at n servers with a queue each, each arrival joins the shorter of two queues. For
 * large n the mean time in the system is known (Mitzenmacher, IEEE TPDS 12(10), 2001): the sum of λ^(2^i − 2) from i = 1, in
 * units of the mean service. It holds simulator and picker together to a number that neither of them was made for.
 */
import { expect, test } from "vitest";
import { type Scenario, simulate } from "../../src/simulate/index.js";
import { alone, mean } from "./support.js";

const SERVICE_MS = 1_000;
const SERVERS = 500;
const WARM_UP_S = 20;

function expectedMs(load: number): number {
  return SERVICE_MS * [1, 2, 3, 4, 5, 6, 7, 8, 9].reduce((sum, i) => sum + load ** (2 ** i - 2), 0);
}

/** The mean time of the calls that come when the queues are as they stay. */
async function meanMs(load: number, seconds: number, seeds: readonly number[]): Promise<number> {
  const scenario: Scenario = {
    name: "supermarket",
    description: "many servers with a queue each",
    durationMs: (WARM_UP_S + seconds) * 1_000,
    rate: (load * SERVERS * 1_000) / SERVICE_MS,
    timeoutMs: 1_000_000,
    servers: [{ count: SERVERS, workers: 1, latency: { exponentialMs: SERVICE_MS } }],
  };
  const means = [];
  for (const seed of seeds) {
    const { calls } = await simulate(scenario, alone("p2c:pending"), seed);
    const settled = calls.filter(({ beganMs }) => beganMs > WARM_UP_S * 1_000);
    means.push(mean(settled.map(({ tookMs }) => tookMs)));
  }
  return mean(means);
}

// Chance moves the load of a run by its square root, and near saturation the time by six times as much: hence the many calls.
test.each([
  { load: 0.5, seconds: 100, seeds: [1, 2, 3] },
  { load: 0.9, seconds: 120, seeds: [1, 2, 3, 4] },
  { load: 0.95, seconds: 200, seeds: [1, 2, 3, 4] },
])("two choices at a load of $load take as long as the model says, within 3 %", async ({ load, seconds, seeds }) => {
  const ratio = (await meanMs(load, seconds, seeds)) / expectedMs(load);
  expect(Math.abs(ratio - 1)).toBeLessThan(0.03);
});

import { expect, test } from "vitest";
import { seededRandom } from "../random.js";
import { drawLatency } from "./latency.js";
import { scenarioNamed } from "./scenarios.js";
import { percentile } from "./summary.js";

test("the usual latency has the moments and quantiles of Finagle's benchmark", () => {
  const random = seededRandom(1);
  const [{ latency } = { latency: { constantMs: 0 } }] = scenarioNamed("slow-backend").servers;
  const drawn = Float64Array.from({ length: 200_000 }, () => drawLatency(latency, random)).sort();
  const mean = drawn.reduce((sum, each) => sum + each, 0) / drawn.length;
  const deviation = Math.sqrt(drawn.reduce((sum, each) => sum + (each - mean) ** 2, 0) / drawn.length);
  expect(mean).toBeCloseTo(169.6, 0);
  expect(deviation).toBeCloseTo(5.4, 0);
  expect(percentile(drawn, 0.5)).toBeCloseTo(167.5, 0);
  expect(percentile(drawn, 0.99)).toBeCloseTo(192.3, 0);
  expect(percentile(drawn, 0.999)).toBeCloseTo(198.8, 0);
  expect(percentile(drawn, 1)).toBeLessThanOrEqual(200);
});

test("a scenario that there is not is refused with those that there are", () => {
  expect(() => scenarioNamed("slow")).toThrow(/there is no scenario "slow"; choose one of slow-backend, slow-middle/);
});

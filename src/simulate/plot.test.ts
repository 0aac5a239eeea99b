import { expect, test } from "vitest";
import { plot } from "./plot.js";
import { scenarioNamed } from "./scenarios.js";
import { type Summary, summarize } from "./summary.js";

const result = (name: string, change: Partial<Summary>, ...latenciesMs: number[]) => ({
  name,
  summary: { ...summarize([]), ...change },
  latenciesMs: Float64Array.from(latenciesMs),
});
const scenario = { ...scenarioNamed("slow-backend"), description: "a < b & c" };

test("draws a line and two bars for each result, and writes the shares beside the bars", () => {
  const svg = plot(scenario, [
    result("one", { faulty: 10, whileFaulty: 100, failed: 1, calls: 4 }, 10, 20, 30),
    result("two", { faulty: 5, whileFaulty: 100, failed: 0, calls: 4 }, 10, 200, 3_000),
  ]);
  expect(svg.match(/<polyline /g)).toHaveLength(2);
  expect([...svg.matchAll(/>([\d.]+ %)</g)].map(([, share]) => share)).toEqual(["10 %", "5 %", "25 %", "0 %"]);
  expect(svg.match(/>one<\/text>/g)).toHaveLength(2);
  expect(svg).toContain("a &lt; b &amp; c");
  expect(svg).toMatch(/>20 ms<[\s\S]*>2 s</);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

test("draws what has no latencies, no faults and no spread", () => {
  const svg = plot(scenario, [result("none", {}), result("flat", {}, 5, 5, 5)]);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(plot(scenario, [result("none", {})])).not.toMatch(/NaN|Infinity|undefined/);
});

test("a slower result lies above a faster one", () => {
  const svg = plot(scenario, [result("fast", {}, 10), result("slow", {}, 100)]);
  const [fast = 0, slow = 0] = [...svg.matchAll(/points="[\d.]+,([\d.]+)/g)].map(([, y]) => Number(y));
  expect(slow).toBeLessThan(fast);
});

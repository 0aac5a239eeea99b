import { expect, test } from "vitest";
import { parseScenario } from "./parse-scenario.js";
import { scenarios } from "./scenarios.js";

const good = {
  name: "mine",
  description: "two servers, one slow",
  durationMs: 1_000,
  rate: 10,
  servers: [
    { count: 1, latency: { exponentialMs: 5 } },
    { latency: { samplesMs: [1, 2, 3] }, phases: [{ fromMs: 10, condition: "slow", factor: 2 }] },
  ],
};
const [, slow] = good.servers;
const latencyOf = (latency: unknown) => ({ servers: [{ latency }] });
const phaseOf = (phase: unknown) => ({ servers: [{ ...slow, phases: [phase] }] });

test("what is shipped can be written to a file and read again", () => {
  for (const scenario of scenarios) expect(parseScenario(JSON.stringify(scenario))).toEqual(scenario);
});

test.each([
  ["no JSON", "{", /^the scenario is no JSON: /],
  ["no object", "[]", "the scenario must be an object, not []"],
  ["a field is absent", { rate: undefined }, "rate must be a number above 0, not absent"],
  ["a field is misspelt", { timeout: 1 }, /^the scenario has no field "timeout"; it has name, .*timeoutMs/],
  ["a number is a text", { rate: "10" }, 'rate must be a number above 0, not "10"'],
  ["there is no server", { servers: [] }, "servers must be a list of at least one, not []"],
  ["half a client", { clients: 1.5 }, "clients must be a whole number from 1 on, not 1.5"],
  ["arrivals of no kind", { arrivals: "odd" }, 'arrivals must be one of poisson, even, not "odd"'],
  ["a latency of no kind", latencyOf({}), /^servers\[0\]\.latency must have one of constantMs, exponentialMs/],
  ["no samples", latencyOf({ samplesMs: [] }), "servers[0].latency.samplesMs must be a list of at least one, not []"],
  [
    "two latencies",
    latencyOf({ constantMs: 1, exponentialMs: 1 }),
    "servers[0].latency has both constantMs and exponentialMs: give one of them",
  ],
  [
    "quantiles that go down",
    latencyOf({ quantiles: [[0, 5], [1, 4]] }), // biome-ignore format: a table
    "servers[0].latency.quantiles must ascend from a pair [0, …] to a pair [1, …]",
  ],
  [
    "a quantile that is no pair",
    latencyOf({ quantiles: [[0, 5], 6] }),
    "servers[0].latency.quantiles[1] must be a pair [share, ms], e.g. [0.5, 167]",
  ],
  [
    "an unknown condition",
    phaseOf({ fromMs: 0, condition: "fast" }),
    'servers[0].phases[0].condition must be one of answers, slow, cold, fails, hangs, pauses, down, not "fast"',
  ],
  [
    "a field of another condition",
    phaseOf({ fromMs: 0, condition: "hangs", factor: 2 }),
    'servers[0].phases[0] has no field "factor"; it has fromMs, untilMs, condition',
  ],
  [
    "a phase that ends before it begins",
    phaseOf({ fromMs: 5, untilMs: 5, condition: "hangs" }),
    "servers[0].phases[0].untilMs must be after fromMs",
  ],
  [
    "a cold start without end",
    phaseOf({ fromMs: 5, condition: "cold", factor: 2 }),
    "servers[0].phases[0].untilMs must be a number from 0 on, not absent",
  ],
  [
    "a pause without end",
    phaseOf({ fromMs: 5, condition: "pauses" }),
    "servers[0].phases[0].untilMs must be a number from 0 on, not absent",
  ],
  ["a run without end", { durationMs: 1e12 }, /^the scenario is of 10000000000 calls, and 5000000 are the most: lower/],
  ["a flood", { rate: 1e9 }, /^the scenario is of 1000000000 calls, and 5000000 are the most: lower rate/],
  [
    "who joins after the end",
    { servers: [slow, { ...slow, joinMs: 1_000 }] },
    "servers[1].joinMs must be before durationMs, 1000",
  ],
  [
    "who leaves before it joins",
    { servers: [{ ...slow, joinMs: 5, leaveMs: 4 }] },
    "servers[0].leaveMs must be after joinMs",
  ],
] as const)("%s is refused, with its place and the remedy", (_case, change, message) => {
  const json = typeof change === "string" ? change : JSON.stringify({ ...good, ...change });
  const refusal = expect(() => parseScenario(json));
  refusal.toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  refusal.toThrow(message);
});

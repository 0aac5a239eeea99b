/**
 * The scenarios that are shipped. Latencies are those of Finagle's benchmark (`real_latencies.data`, a production service),
 * by their quantiles: median 167.5 ms, mean 169.6, standard deviation 5.4, never above 200.
 */
import { RollcallError } from "../errors.js";
import type { Latency } from "./latency.js";
import type { Phase, Scenario } from "./scenario.js";

const usual: Latency = {
  quantiles: [
    [0, 166],
    [0.5, 167.5],
    [0.9, 171.9],
    [0.99, 192.3],
    [0.999, 198.8],
    [1, 200],
  ],
};

/** Eleven servers, 1,000 calls a second, a minute: Linkerd's "Beyond Round Robin" (2016). One of them has `phases`. */
function oneOfEleven(name: string, description: string, phases: readonly Phase[]): Scenario {
  return {
    name,
    description,
    durationMs: 60_000,
    rate: 1_000,
    servers: [
      { name: "sound", count: 10, latency: usual },
      { name: "faulty", latency: usual, phases },
    ],
  };
}

/** Ten servers, 1,250 calls a second, 45 s: Finagle's balancersim. One of them has `phases`. */
function oneOfTen(name: string, description: string, phases: readonly Phase[]): Scenario {
  return {
    name,
    description,
    durationMs: 45_000,
    rate: 1_250,
    servers: [
      { name: "sound", count: 9, latency: usual },
      { name: "faulty", latency: usual, phases },
    ],
  };
}

const middle = { fromMs: 15_000, untilMs: 45_000 };

export const scenarios: readonly Scenario[] = [
  oneOfEleven("slow-backend", "one of 11 servers takes 2 s for 30 s", [
    { ...middle, condition: "answers", latency: { constantMs: 2_000 } },
  ]),
  oneOfTen("slow-middle", "one of 10 servers takes ten times as long from 15 s on", [
    { ...middle, condition: "slow", factor: 10 },
  ]),
  oneOfTen("cold-start", "one of 10 servers warms up for 10 s and takes ten times as long for 4 s later", [
    { fromMs: 0, untilMs: 10_000, condition: "cold", factor: 5 },
    { fromMs: 19_000, untilMs: 23_000, condition: "slow", factor: 10 },
  ]),
  oneOfEleven("fast-failing", "one of 11 servers fails every call within 1 ms for 30 s", [
    { ...middle, condition: "fails", afterMs: 1 },
  ]),
  oneOfEleven("hanging", "one of 11 servers answers nothing for 30 s", [{ ...middle, condition: "hangs" }]),
  {
    name: "join",
    description: "a 12th server joins 11 after 15 s, and is cold for 10 s",
    durationMs: 30_000,
    rate: 1_000,
    servers: [
      { name: "sound", count: 11, latency: usual },
      {
        name: "new",
        latency: usual,
        joinMs: 15_000,
        phases: [{ fromMs: 15_000, untilMs: 25_000, condition: "cold", factor: 5 }],
      },
    ],
  },
  oneOfTen("failed-then-back", "one of 10 servers is gone from 10 s to 25 s", [
    { fromMs: 10_000, untilMs: 25_000, condition: "down" },
  ]),
  oneOfTen("failed-for-good", "one of 10 servers is gone from 10 s on, and stays registered", [
    { fromMs: 10_000, condition: "down" },
  ]),
  {
    name: "total-outage",
    description: "all 10 servers fail every call for a minute",
    durationMs: 60_000,
    rate: 1_000,
    servers: [{ name: "faulty", count: 10, latency: usual, phases: [{ fromMs: 0, condition: "fails", afterMs: 1 }] }],
  },
  {
    name: "mixed",
    description: "of 10 busy servers one is slow, one fails half of its calls, one hangs, one is gone, one joins",
    durationMs: 60_000,
    rate: 1_000,
    clients: 4,
    servers: [
      { name: "sound", count: 5, workers: 64, latency: { exponentialMs: 50 } },
      {
        name: "slow",
        workers: 64,
        latency: { exponentialMs: 50 },
        phases: [{ fromMs: 10_000, untilMs: 20_000, condition: "slow", factor: 10 }],
      },
      {
        name: "failing",
        workers: 64,
        latency: { exponentialMs: 50 },
        phases: [{ fromMs: 20_000, untilMs: 30_000, condition: "fails", afterMs: 1, share: 0.5 }],
      },
      {
        name: "hanging",
        workers: 64,
        latency: { exponentialMs: 50 },
        phases: [{ fromMs: 30_000, untilMs: 40_000, condition: "hangs" }],
      },
      {
        name: "gone",
        workers: 64,
        latency: { exponentialMs: 50 },
        phases: [{ fromMs: 40_000, untilMs: 50_000, condition: "down" }],
      },
      {
        name: "new",
        workers: 64,
        latency: { exponentialMs: 50 },
        joinMs: 45_000,
        phases: [{ fromMs: 45_000, untilMs: 55_000, condition: "cold", factor: 5 }],
      },
    ],
  },
];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  const names = scenarios.map((scenario) => scenario.name).join(", ");
  throw new RollcallError("INVALID_ARGUMENT", `there is no scenario "${name}"; choose one of ${names}`);
}

/** What the bars have in common. They run the shipped client on the shipped simulator; seeds are the first ones, not chosen ones. */
import { vi } from "vitest";
import { balancerNamed } from "../../src/index.js";
import {
  type ClientUnderTest,
  type Scenario,
  type Summary,
  scenarioNamed,
  simulate,
  summarize,
} from "../../src/simulate/index.js";

// Hundreds of thousands of calls: a second or a few, and minutes on a machine that is busy with other things.
vi.setConfig({ testTimeout: 300_000 });

/** A balancer and nothing else: one attempt for a call, and nobody is ejected. */
export function alone(name: string): ClientUnderTest {
  return { ...balancerNamed(name), retry: false, ejection: false };
}

/** All that is on by default. */
export const shipped: ClientUnderTest = {};

/** What became of `scenario` with each of the first `count` seeds. */
export async function summaries(
  scenario: Scenario | string,
  underTest: ClientUnderTest,
  count: number,
): Promise<Summary[]> {
  const of = typeof scenario === "string" ? scenarioNamed(scenario) : scenario;
  const made: Summary[] = [];
  for (let seed = 1; seed <= count; seed += 1) made.push(summarize([await simulate(of, underTest, seed)]));
  return made;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

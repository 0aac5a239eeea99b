/**
 * The balancers that can be chosen by name, as on the command line: each a strategy with the metric that it is meant for.
 * Those that hash are left out: a command line has no keys for them.
 */
import { RollcallError } from "../errors.js";
import type { Metric } from "./meter.js";
import { peakEwma } from "./meters/peak-ewma.js";
import { pending } from "./meters/pending.js";
import { leastRequest } from "./strategies/least-request.js";
import { p2c } from "./strategies/p2c.js";
import { random } from "./strategies/random.js";
import { roundRobin } from "./strategies/round-robin.js";
import { weightedRoundRobin } from "./strategies/weighted-round-robin.js";
import type { Strategy } from "./strategy.js";

/** To be spread into the options of a client. */
export interface NamedBalancer {
  readonly strategy: Strategy;
  /** Absent where the strategy asks for no cost. */
  readonly metric?: Metric;
}

const menu: Readonly<Record<string, () => NamedBalancer>> = {
  p2c: () => ({ strategy: p2c(), metric: peakEwma() }),
  "p2c:pending": () => ({ strategy: p2c(), metric: pending() }),
  "least-request": () => ({ strategy: leastRequest() }),
  "round-robin": () => ({ strategy: roundRobin() }),
  random: () => ({ strategy: random() }),
  "weighted-round-robin": () => ({ strategy: weightedRoundRobin() }),
};

export const balancerNames: readonly string[] = Object.keys(menu);

export function balancerNamed(name: string): NamedBalancer {
  const make = Object.hasOwn(menu, name) ? menu[name] : undefined;
  if (make === undefined) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `there is no balancer "${name}" by name: choose one of ${balancerNames.join(", ")}; ` +
        "those that hash, and combinators, are for code alone, as the option `strategy`",
    );
  }
  return make();
}

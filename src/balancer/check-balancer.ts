/** Refuses what is no strategy and no metric, each tried: without its parentheses a function gives another one instead. */
import { checkFunction, checkObject, described } from "../check-kind.js";
import type { Clock } from "../clock.js";
import { RollcallError, toError } from "../errors.js";
import type { Metric, Peers } from "./meter.js";
import type { Strategy } from "./strategy.js";

/** `name` is the option, or whose it is, as `the strategy in slowStart()`. */
export function checkStrategy(name: string, strategy: unknown): void {
  checkFunction(name, strategy, "write e.g. p2c()");
}

/** Makes one of each, of which nothing is kept. */
export function tryBalancer(strategy: Strategy, metric: Metric, clock: Clock): void {
  checkStrategy("strategy", strategy);
  const distributor: unknown = strategy({ clock, random: () => 0 });
  if (typeof distributor !== "function") {
    const made = `it made ${described(distributor)}`;
    throw new RollcallError("INVALID_ARGUMENT", `\`strategy\` has to be a strategy, such as p2c() gives; ${made}`);
  }
  checkFunction("metric", metric, "write e.g. peakEwma()");
  const remedy = "a meter: write e.g. peakEwma(), with its parentheses";
  checkObject("metric()", made(metric, clock, remedy), "begin", remedy);
}

function made(metric: Metric, clock: Clock, remedy: string): unknown {
  try {
    return metric(new Nobody(), { clock });
  } catch (error) {
    const message = `\`metric()\` has to be ${remedy}; it threw: ${toError(error).message}`;
    throw new RollcallError("INVALID_ARGUMENT", message, { cause: error });
  }
}

class Nobody implements Peers {
  medianIdleCost(): number {
    return 0;
  }

  maxCost(): number {
    return 0;
  }
}

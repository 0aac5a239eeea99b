/** The strategies that can be chosen by name, as on the command line. */
import { RollcallError } from "../../errors.js";
import type { Strategy } from "../strategy.js";
import { maglev } from "./maglev.js";
import { random } from "./random.js";
import { ringHash } from "./ring-hash.js";
import { roundRobin } from "./round-robin.js";
import { weightedRoundRobin } from "./weighted-round-robin.js";

const menu: Readonly<Record<string, () => Strategy>> = {
  "round-robin": roundRobin,
  random,
  "ring-hash": ringHash,
  maglev,
  "weighted-round-robin": weightedRoundRobin,
};

export const strategyNames: readonly string[] = Object.keys(menu);

export function strategyNamed(name: string): Strategy {
  const make = Object.hasOwn(menu, name) ? menu[name] : undefined;
  if (make === undefined) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `there is no balancer "${name}"; choose one of ${strategyNames.join(", ")}`,
    );
  }
  return make();
}

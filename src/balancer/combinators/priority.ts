/**
 * Levels of candidates: all calls go to the best level while it is healthy enough, and overflow to the next by as much as it
 * is not (Envoy: priority levels).
 *
 * A level is taken to have capacity to spare: with the factor 1.4 it gets all calls while 1 / 1.4, about 72 %, of it can be
 * used. A level none of which is usable gets nothing, and a retry that finds no untried endpoint in its level goes to the
 * next.
 */
import { checkNumber } from "../../check-number.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { checkStrategy } from "../check-balancer.js";
import type { Candidate, Strategy } from "../strategy.js";
import { byGroups } from "./by-groups.js";
import { priorityShares } from "./priority-shares.js";

export interface PriorityOptions {
  /**
   * The level of a candidate, 0 being best: the name of a metadata entry, or a function. What says nothing, or no number, is
   * of level 0. Default: the entry `priority`. (Envoy: `priority` of the locality.)
   */
  readonly level?: string | ((candidate: Candidate) => number) | undefined;
  /**
   * How much more than its part a level can carry, at least 1; default 1.4: below 72 % usable it begins to overflow. (Envoy:
   * `overprovisioning_factor`, 140.)
   */
  readonly overprovisioning?: number | undefined;
  /**
   * When all levels together cannot carry the calls, a level of which less than this part is usable uses all its members;
   * from 0 to 1, default 0, never. The balancer's own panic lets ejected endpoints back in before a strategy sees them, and
   * what is unusable after that has no connection. (Envoy: `healthy_panic_threshold`, 50 %.)
   */
  readonly panicThreshold?: number | undefined;
}

const DEFAULTS = { level: "priority", overprovisioning: 1.4, panicThreshold: 0 };

const KNOWN: Readonly<Record<keyof PriorityOptions, true>> = {
  level: true,
  overprovisioning: true,
  panicThreshold: true,
};

/** `inner` chooses inside a level. */
export function priority(inner: Strategy, options: PriorityOptions = {}): Strategy {
  checkStrategy("the strategy in priority()", inner);
  refuseUnknownOptions("priority()", options, KNOWN);
  const { level = DEFAULTS.level } = options;
  const overprovisioning = options.overprovisioning ?? DEFAULTS.overprovisioning;
  const panicThreshold = options.panicThreshold ?? DEFAULTS.panicThreshold;
  checkNumber("overprovisioning", overprovisioning, "from 1 on", overprovisioning >= 1);
  checkNumber("panicThreshold", panicThreshold, "from 0 to 1", panicThreshold >= 0 && panicThreshold <= 1);
  const said = typeof level === "string" ? ({ metadata }: Candidate) => Number(metadata?.[level]) : level;
  return byGroups(inner, {
    name: "priority",
    keyOf: (candidate) => {
      const number = said(candidate);
      return Number.isFinite(number) ? number : 0;
    },
    sharesOf: (levels) => {
      const health = levels.map(({ weight, usableWeight }) => usableWeight / weight);
      return priorityShares(health, overprovisioning, panicThreshold);
    },
  });
}

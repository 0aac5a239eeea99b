/**
 * A part of the calls to candidates of a kind, such as a new version, however many of them there are, and the rest to the
 * others (Envoy: weighted clusters in a route; Kubernetes' Gateway API: weighted backends).
 *
 * Calls with a hash key are divided by it, so that a user is always on one side; and when the part grows, everybody stays
 * who was in it. While one side has nobody usable, the other takes all calls: a canary that dies costs no call.
 */
import { checkNumber } from "../../check-number.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { checkStrategy } from "../check-balancer.js";
import type { Strategy } from "../strategy.js";
import { byGroups } from "./by-groups.js";
import { type Matching, matcher } from "./matching.js";

export interface CanaryOptions {
  /** Which candidates are the canaries. */
  readonly match: Matching;
  /** The part of the calls that they get, from 0 to 1. With 0 they get none while another is usable. (Envoy: `weight`.) */
  readonly share: number;
}

const KNOWN: Readonly<Record<keyof CanaryOptions, true>> = { match: true, share: true };

/** `inner` chooses on each side. */
export function canary(inner: Strategy, options: CanaryOptions): Strategy {
  checkStrategy("the strategy in canary()", inner);
  refuseUnknownOptions("canary()", options, KNOWN);
  const { share } = options;
  const matches = matcher("canary()", options.match);
  checkNumber("share", share, "from 0 to 1", share >= 0 && share <= 1);
  return byGroups(inner, {
    name: "canary",
    keyOf: (candidate) => (matches(candidate) ? 0 : 1),
    sharesOf: (sides) =>
      sides.map(({ key, usableWeight }) => ({ share: usableWeight === 0 ? 0 : key === 0 ? share : 1 - share })),
  });
}

/**
 * Only candidates of a kind, such as a version (Envoy: subset load balancing, with the criteria of the client and not of
 * each call). What a call gets when no candidate of the kind is usable is the fallback's to say.
 */
import { RollcallError } from "../../errors.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { checkStrategy } from "../check-balancer.js";
import type { Candidate, Picker, Strategy } from "../strategy.js";
import { byGroups } from "./by-groups.js";
import { type Matching, matcher } from "./matching.js";

export interface FilterOptions {
  /** Which candidates get the calls. (Envoy: the subset selector and `metadata_match`.) */
  readonly match: Matching;
  /**
   * While none of them is usable: `any` other candidate (the default), those that match something else, or `none`: then a
   * call gets a matching one that is not usable, and where none matches at all it waits for one until its deadline. (Envoy:
   * `fallback_policy`: `ANY_ENDPOINT`, `DEFAULT_SUBSET`, `NO_FALLBACK`, which is its default.)
   */
  readonly fallback?: "any" | "none" | Matching | undefined;
}

const DEFAULTS = { fallback: "any" } as const;

const KNOWN: Readonly<Record<keyof FilterOptions, true>> = { match: true, fallback: true };

/** `inner` chooses among those that match. */
export function filter(inner: Strategy, options: FilterOptions): Strategy {
  checkStrategy("the strategy in filter()", inner);
  refuseUnknownOptions("filter()", options, KNOWN);
  const matches = matcher("filter()", options.match);
  const second = fallbackOf(options.fallback ?? DEFAULTS.fallback);
  const grouped = byGroups(inner, {
    name: "filter",
    keyOf: (candidate) => (matches(candidate) ? 0 : 1),
    sharesOf: (groups) => {
      const first = groups.findIndex(({ usableWeight }) => usableWeight > 0);
      return groups.map((_, place) => ({ share: place === first ? 1 : 0 }));
    },
  });
  return (environment) => {
    const distribute = grouped(environment);
    return <E extends Candidate>(candidates: readonly E[]): Picker<E> =>
      distribute(candidates.filter((candidate) => matches(candidate) || second(candidate)));
  };
}

function fallbackOf(fallback: "any" | "none" | Matching): (candidate: Candidate) => boolean {
  if (fallback === "any") return () => true;
  if (fallback === "none") return () => false;
  if (typeof fallback !== "string") return matcher("the fallback of filter()", fallback);
  const remedy = "`any`, `none`, or what the candidates match that are to take over";
  throw new RollcallError("INVALID_ARGUMENT", `the fallback of filter() is ${remedy}, not "${String(fallback)}"`);
}

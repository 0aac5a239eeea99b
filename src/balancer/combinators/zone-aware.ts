/**
 * Calls stay in the client's own zone as long as that zone can carry its part of them, and spill over to others by as much
 * as it cannot (Envoy: zone aware routing).
 *
 * Envoy compares two distributions: how many of the callers are in each zone, and how much of the servers. A zone with as
 * much of the servers as of the callers keeps all its calls; of one with less, the callers keep servers ÷ callers, and the
 * rest goes to the zones that have servers to spare, in proportion to how much. So every server gets the same load, and no
 * more calls than needed leave a zone. A client knows the servers; the callers it takes to be spread evenly over the zones
 * of the servers, unless it is told: this never loads a zone beyond its part while callers are spread evenly, and where they
 * are not, a small zone is spared rather than flooded.
 */
import { checkNumber } from "../../check-number.js";
import { RollcallError } from "../../errors.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { checkStrategy } from "../check-balancer.js";
import type { Candidate, Picker, Strategy } from "../strategy.js";
import { byGroups, type Share } from "./by-groups.js";
import type { GroupHealth } from "./group.js";

export interface ZoneAwareOptions {
  /** The zone that the client runs in, as servers name theirs when they register. (Envoy: the node's locality.) */
  readonly zone: string;
  /**
   * How many callers there are in each zone, in any unit; default: as many in each. (Envoy: the members of its
   * `local_cluster`.)
   */
  readonly callers?: Readonly<Record<string, number>> | undefined;
  /**
   * With fewer endpoints zones are not looked at; default 6: of few servers, a zone has one or two, and to lose one would
   * mean to lose the zone. (Envoy: `min_cluster_size`, 6.)
   */
  readonly minEndpoints?: number | undefined;
}

const DEFAULTS = { minEndpoints: 6 };

const KNOWN: Readonly<Record<keyof ZoneAwareOptions, true>> = { zone: true, callers: true, minEndpoints: true };

/** `inner` chooses inside a zone. Endpoints that name no zone are in one of their own, which has no callers. */
export function zoneAware(inner: Strategy, options: ZoneAwareOptions): Strategy {
  checkStrategy("the strategy in zoneAware()", inner);
  refuseUnknownOptions("zoneAware()", options, KNOWN);
  const { zone, callers } = options;
  const minEndpoints = options.minEndpoints ?? DEFAULTS.minEndpoints;
  if (typeof zone !== "string" || zone === "") {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      "zoneAware() needs the client's own `zone`, as its servers name theirs",
    );
  }
  checkNumber("minEndpoints", minEndpoints, "from 0 on", minEndpoints >= 0);
  for (const [name, count] of Object.entries(callers ?? {})) {
    checkNumber(`callers of "${name}"`, count, "from 0 on", count >= 0);
  }

  if (callers !== undefined && !Object.hasOwn(callers, zone)) {
    throw new RollcallError("INVALID_ARGUMENT", `callers of zoneAware() lack the client's own zone "${zone}"`);
  }

  const zoned = byGroups(inner, {
    name: "zone",
    keyOf: (candidate) => candidate.zone ?? "",
    sharesOf: (zones) => zoneShares(zones, zone, callers),
  });
  return (environment) => {
    const small = inner(environment);
    const large = zoned(environment);
    return <E extends Candidate>(candidates: readonly E[]): Picker<E> => {
      const near = candidates.length >= minEndpoints && candidates.some((candidate) => candidate.zone === zone);
      return (near ? large : small)(candidates);
    };
  };
}

/** Which part of the calls of a client in `own` goes to each zone. */
function zoneShares(
  zones: readonly GroupHealth[],
  own: string,
  callers?: Readonly<Record<string, number>>,
): readonly Share[] {
  const servers = parts(zones.map(({ usableWeight }) => usableWeight));
  const named = zones.map(({ key }) => (key === "" ? 0 : callers === undefined ? 1 : (callers[key] ?? 0)));
  const calling = parts(named);
  const spare = servers.map((part, place) => Math.max(0, part - (calling[place] ?? 0)));
  const at = zones.findIndex(({ key }) => key === own);
  const [ofServers = 0, ofCallers = 0] = [servers[at], calling[at]];
  const kept = ofServers === 0 ? 0 : Math.min(1, ofServers / ofCallers);
  const toOthers = parts(spare);
  return zones.map((_, place) => ({ share: place === at ? kept : (1 - kept) * (toOthers[place] ?? 0) }));
}

function parts(amounts: readonly number[]): readonly number[] {
  const total = amounts.reduce((sum, amount) => sum + amount, 0);
  return amounts.map((amount) => (total === 0 ? 0 : amount / total));
}

/**
 * An endpoint that joins gets few calls at first and more as it warms up (Envoy: slow start).
 *
 * Why acceptance and not a smaller weight or a higher cost: the inner strategy picks as it would, and a candidate at the
 * factor f is taken with the probability f, else the strategy picks again without it. That is f times its share under any
 * strategy. Weights are read when the set changes and not as time goes by; a cost divided by f has no effect on a strategy that
 * does not ask for costs, and starves the newcomer under one that does: while calls are few, ten times the cost of an idle
 * peer is never the lowest.
 *
 * The factor is relative to the warmest candidate: where all are new, nobody is held back, and nobody waits. And while many
 * are new, as in a roll-out, they are held back less: what they are spared the others get, the last old one most of all.
 */
import { checkNumber } from "../../check-number.js";
import type { Clock } from "../../clock.js";
import { hashFraction } from "../../hash.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { checkStrategy } from "../check-balancer.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Picker, Strategy } from "../strategy.js";

export interface SlowStartOptions {
  /** How long an endpoint warms up; default 30,000 ms. (Envoy: `slow_start_window`, off by default.) */
  readonly windowMs?: number | undefined;
  /** The part of its share that an endpoint has at least, above 0 up to 1; default 0.1. (Envoy: `min_weight_percent`, 10 %.) */
  readonly minShare?: number | undefined;
  /**
   * How the share grows: the part of the window that is over, to the power of 1 / aggression; default 1, linear. Above 1 it
   * grows faster at first. (Envoy: `aggression`, 1.0.)
   */
  readonly aggression?: number | undefined;
  /**
   * The metadata entry in which a server says when it was started, in milliseconds since the Unix epoch or as an ISO date. It
   * tells a restart that was too short to be seen, and a client that is new which servers are as well. Clocks that differ
   * shift the window by as much. Default: none, and the window begins when this client sees the endpoint join.
   */
  readonly startedAt?: string | undefined;
}

const DEFAULTS = { windowMs: 30_000, minShare: 0.1, aggression: 1 };

/** Picks passed over for one call: with a tenth of the endpoints new, the ninth in a row is one call in a hundred million. */
const MOST_PASSED_OVER = 8;

/** Of its share, what an endpoint that is warm gets at most: as much as `priority()` and Envoy take servers to have to spare. */
const MOST_LOAD = 1.4;
/** How warm the set is as a whole is looked up no more often. */
const LOOK_AGAIN_MS = 50;

const KNOWN: Readonly<Record<keyof SlowStartOptions, true>> = {
  windowMs: true,
  minShare: true,
  aggression: true,
  startedAt: true,
};

/** The start of an endpoint that was there before the client. */
const ALWAYS = Number.NEGATIVE_INFINITY;

/** `inner` chooses; what is warm, and what was there before this client, is not affected. */
export function slowStart(inner: Strategy, options: SlowStartOptions = {}): Strategy {
  checkStrategy("the strategy in slowStart()", inner);
  refuseUnknownOptions("slowStart()", options, KNOWN);
  const windowMs = options.windowMs ?? DEFAULTS.windowMs;
  const minShare = options.minShare ?? DEFAULTS.minShare;
  const aggression = options.aggression ?? DEFAULTS.aggression;
  checkNumber("windowMs", windowMs, "above 0", windowMs > 0);
  checkNumber("minShare", minShare, "above 0 and at most 1", minShare > 0 && minShare <= 1);
  checkNumber("aggression", aggression, "above 0", aggression > 0);
  /** Of its share, after `ageMs`. Envoy's formula. */
  const factor = (ageMs: number) =>
    ageMs >= windowMs ? 1 : Math.max(minShare, (Math.max(0, ageMs) / windowMs) ** (1 / aggression));

  return (environment) => {
    const { clock, random } = environment;
    const distribute = inner(environment);
    const startsOf = startTimes(clock, options.startedAt);

    return <E extends Candidate>(candidates: readonly E[]): Picker<E> => {
      const pick = distribute(candidates);
      const starts = startsOf(candidates);
      let firstMs = Number.POSITIVE_INFINITY;
      let lastMs = ALWAYS;
      for (const startMs of starts.values()) {
        firstMs = Math.min(firstMs, startMs);
        lastMs = Math.max(lastMs, startMs);
      }

      const partAt = (nowMs: number) => {
        const warmest = factor(nowMs - firstMs);
        return ({ address }: Candidate) => factor(nowMs - (starts.get(address) ?? ALWAYS)) / warmest;
      };
      let lookedMs = Number.NEGATIVE_INFINITY;
      let relieved = 0;

      return (context) => {
        const candidate = pick(context);
        const nowMs = clock.nowMs();
        if (candidate === undefined || nowMs >= lastMs + windowMs) return candidate;
        const partOf = partAt(nowMs);
        if (nowMs - lookedMs >= LOOK_AGAIN_MS) {
          lookedMs = nowMs;
          relieved = relief(candidates, partOf);
        }
        const accepts = (one: E) => {
          const alone = partOf(one);
          const part = alone + (1 - alone) * relieved;
          const { hashKey } = context;
          return part >= 1 || (hashKey === undefined ? random() : hashFraction(`${one.address} ${hashKey}`)) < part;
        };
        return accepts(candidate) ? candidate : another(pick, context, candidate, accepts);
      };
    };
  };
}

/** How much of what they lack the new ones get all the same, from 0 to 1, lest a warm one get more than it can carry. */
function relief(candidates: readonly Candidate[], partOf: (candidate: Candidate) => number): number {
  let due = 0;
  let taken = 0;
  for (const candidate of candidates) {
    if (!candidate.usable) continue;
    due += candidate.weight;
    taken += candidate.weight * partOf(candidate);
  }
  const least = due / MOST_LOAD;
  return taken >= least ? 0 : (least - taken) / (due - taken);
}

/** The next that is accepted, or as good a candidate as the first. */
function another<E extends Candidate>(
  pick: Picker<E>,
  context: PickContext,
  first: E,
  accepts: (candidate: E) => boolean,
): E {
  const exclude = new Set(context.exclude).add(first.address);
  const rank = reluctance(first, context);
  for (let passed = 1; passed < MOST_PASSED_OVER; passed += 1) {
    const next = pick({ ...context, exclude });
    if (next === undefined || exclude.has(next.address) || reluctance(next, context) > rank) return first;
    if (accepts(next)) return next;
    exclude.add(next.address);
  }
  return first;
}

/** When each address was started, on this client's clock. */
function startTimes(clock: Clock, entry: string | undefined) {
  /** What each server said, and when that was: translated once, for a clock that is set must start nobody anew. */
  let said = new Map<string, { readonly text: string; readonly startMs: number }>();

  const startOf = ({ address, metadata, joinedMs = ALWAYS }: Candidate): number => {
    const text = entry === undefined ? undefined : metadata?.[entry];
    if (text === undefined) return joinedMs;
    const known = said.get(address);
    if (known?.text === text) return known.startMs;
    const epochMs = Number.isNaN(Number(text)) ? Date.parse(text) : Number(text);
    return Number.isNaN(epochMs) ? joinedMs : clock.nowMs() - Math.max(0, clock.epochMs() - epochMs);
  };

  return (candidates: readonly Candidate[]): ReadonlyMap<string, number> => {
    const starts = new Map(candidates.map((candidate) => [candidate.address, startOf(candidate)]));
    if (entry !== undefined) {
      said = new Map(
        candidates.map(({ address, metadata }) => [
          address,
          { text: metadata?.[entry] ?? "", startMs: starts.get(address) ?? ALWAYS },
        ]),
      );
    }
    return starts;
  };
}

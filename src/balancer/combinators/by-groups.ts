/**
 * The set in groups, such as priorities or zones, each with the inner strategy to itself: a share of the calls goes to each
 * group, and the strategy chooses inside it. `priority`, `zoneAware`, `filter` and `canary` only say which group a candidate
 * is in and which share each group has.
 *
 * Shares follow what is usable, and to count that takes a look at every candidate. It is done at most every 50 ms, and at
 * once when a group turns out to have nobody usable. A group that has nobody good for a call is left out for this call, and
 * the others get shares as if it were empty; so a call gets the best candidate of all groups.
 */
import { hashFraction } from "../../hash.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, Distributor, PickContext, Picker, Strategy, StrategyEnvironment } from "../strategy.js";
import { Group, type GroupHealth, type GroupKey } from "./group.js";

export interface Share {
  /** Relative to the other groups'. Where all are 0, the first group is tried first. */
  readonly share: number;
  /** Picks the group's unusable members as willingly as its usable ones. */
  readonly panic?: boolean;
}

export interface Grouping {
  /** What is grouped by. Of groupings around one another, those of one name too, each hashes a key in its own way. */
  readonly name: string;
  readonly keyOf: (candidate: Candidate) => GroupKey;
  /** A share for each group; the groups are in the order of their keys. */
  readonly sharesOf: (groups: readonly GroupHealth[]) => readonly Share[];
}

const RECOUNT_MS = 50;

export function byGroups(inner: Strategy, grouping: Grouping): Strategy {
  return (environment) => {
    const { around = [] } = environment;
    const within = { ...environment, around: [...around, grouping.name] };
    const salt = within.around.filter((name) => name === grouping.name).join(" ");
    // A cursor lives in a distributor, so each group keeps its own through every update of the set.
    const distributors = new Map<GroupKey, Distributor>();
    return <E extends Candidate>(candidates: readonly E[]): Picker<E> => {
      const groups = [...membersByKey(candidates, grouping)].map(([key, members]) => {
        const distribute = distributors.get(key) ?? inner(within);
        distributors.set(key, distribute);
        return new Group(key, members, distribute, () => inner(within));
      });
      const present = new Set(groups.map(({ key }) => key));
      for (const key of distributors.keys()) if (!present.has(key)) distributors.delete(key);
      return new GroupPicker(groups, grouping, environment, salt).pick;
    };
  };
}

function membersByKey<E extends Candidate>(candidates: readonly E[], { keyOf }: Grouping): [GroupKey, E[]][] {
  const members = new Map<GroupKey, E[]>();
  for (const candidate of candidates) {
    const key = keyOf(candidate);
    const group = members.get(key);
    if (group === undefined) members.set(key, [candidate]);
    else group.push(candidate);
  }
  return [...members].sort(([a], [b]) => (a < b ? -1 : 1));
}

class GroupPicker<E extends Candidate> {
  readonly #groups: readonly Group<E>[];
  readonly #grouping: Grouping;
  readonly #environment: StrategyEnvironment;
  readonly #salt: string;
  #shares: readonly Share[] = [];
  #countedMs = Number.NEGATIVE_INFINITY;

  constructor(groups: readonly Group<E>[], grouping: Grouping, environment: StrategyEnvironment, salt: string) {
    this.#groups = groups;
    this.#grouping = grouping;
    this.#environment = environment;
    this.#salt = salt;
  }

  readonly pick: Picker<E> = (context) => {
    const { clock, random } = this.#environment;
    if (clock.nowMs() - this.#countedMs >= RECOUNT_MS) this.#recount();
    const { hashKey } = context;
    const ticket = hashKey === undefined ? random() : hashFraction(`${this.#salt} ${hashKey}`);
    const place = drawn(this.#shares, ticket);
    const group = this.#groups[place];
    if (group === undefined) return undefined;
    if (this.#shares[place]?.panic) {
      const candidate = group.pickInPanic(context);
      if (candidate !== undefined && !context.exclude?.has(candidate.address)) return candidate;
    }
    const candidate = group.pick(context);
    if (candidate === undefined || reluctance(candidate, context) === 0) return candidate;
    return this.#pickElsewhere(group, candidate, context, ticket);
  };

  /** Group after group, each time as if those before were empty, until one has a candidate that nothing speaks against. */
  #pickElsewhere(group: Group<E>, candidate: E, context: PickContext, ticket: number): E {
    if (!candidate.usable && this.#environment.clock.nowMs() > this.#countedMs) this.#recount();
    let best = candidate;
    let left = this.#groups.filter((other) => other !== group);
    while (left.length > 0 && reluctance(best, context) > 0) {
      const health = this.#groups.map((one) => (left.includes(one) ? one.health : { ...one.health, usableWeight: 0 }));
      const shares = this.#grouping
        .sharesOf(health)
        .filter((_, place) => left.some((one) => one === this.#groups[place]));
      const next = left[drawn(shares, ticket)];
      const found = next?.pick(context);
      if (found !== undefined && reluctance(found, context) < reluctance(best, context)) best = found;
      left = left.filter((other) => other !== next);
    }
    return best;
  }

  #recount(): void {
    this.#countedMs = this.#environment.clock.nowMs();
    for (const group of this.#groups) group.recount();
    this.#shares = this.#grouping.sharesOf(this.#groups.map(({ health }) => health));
  }
}

/** The place of the share on which a ticket from [0, 1) falls; the first where nobody has a share. */
function drawn(shares: readonly Share[], ticket: number): number {
  let total = 0;
  for (const { share } of shares) total += share;
  let rest = ticket * total;
  for (let place = 0; place < shares.length; place += 1) {
    const share = shares[place]?.share ?? 0;
    if (rest < share) return place;
    rest -= share;
  }
  return 0;
}

/** One group of a grouped set: its members, the inner strategy over them, and how much of it is usable. */
import type { Candidate, Distributor, PickContext, Picker } from "../strategy.js";
import { CandidateWrapper } from "./candidate-wrapper.js";

/** What shares are made of: how much of a group there is, by weight, and how much of that can be used now. */
export interface GroupHealth {
  readonly key: GroupKey;
  readonly weight: number;
  readonly usableWeight: number;
}

export type GroupKey = string | number;

export class Group<E extends Candidate> {
  readonly key: GroupKey;
  health: GroupHealth;
  readonly pick: Picker<E>;
  readonly #members: readonly E[];
  readonly #forPanic: () => Distributor;
  #panicPick: Picker<Unasked<E>> | undefined;

  constructor(key: GroupKey, members: readonly E[], distribute: Distributor, forPanic: () => Distributor) {
    this.key = key;
    this.#members = members;
    this.pick = distribute(members);
    this.#forPanic = forPanic;
    this.health = { key, weight: 0, usableWeight: 0 };
  }

  recount(): void {
    let weight = 0;
    let usableWeight = 0;
    for (const member of this.#members) {
      weight += member.weight;
      if (member.usable) usableWeight += member.weight;
    }
    this.health = { key: this.key, weight, usableWeight };
  }

  /** As if all members were usable. */
  pickInPanic(context: PickContext): E | undefined {
    this.#panicPick ??= this.#forPanic()(this.#members.map((member) => new Unasked(member)));
    return this.#panicPick(context)?.candidate;
  }
}

/** A candidate that is not asked whether it is usable. */
class Unasked<E extends Candidate> extends CandidateWrapper<E> {
  override get usable(): boolean {
    return true;
  }
}

/**
 * The members in order of preference. A client stays with the first one that works; one that fails goes to the end.
 *
 * Why an order and no timers: what failed longest ago is what most likely works again, so the order itself is the memory of
 * failures, and a member that hangs is asked again only when all others have failed after it.
 */
import { type Random, randomInteger } from "../../../random.js";

export interface Members<M> {
  /** Best first. */
  readonly inOrder: readonly M[];
  /** The best member that is not in `tried`. */
  best(tried: ReadonlySet<M>): M | undefined;
  /** Puts a member last. */
  demote(member: M): void;
}

/** Starts in random order, so that many clients spread over the cluster. */
export function members<M>(all: readonly M[], random: Random): Members<M> {
  const order = shuffled(all, random);
  return {
    inOrder: order,
    best: (tried) => order.find((member) => !tried.has(member)),
    demote(member) {
      order.splice(order.indexOf(member), 1);
      order.push(member);
    },
  };
}

function shuffled<M>(all: readonly M[], random: Random): M[] {
  const rest = [...all];
  const order: M[] = [];
  while (rest.length > 0) order.push(...rest.splice(randomInteger(random, rest.length), 1));
  return order;
}

/** The endpoints of a subset, which hears from them who cannot be reached. */
import type { Membership } from "../../instance.js";
import { cell, type Live } from "../../live.js";
import { systemRandom } from "../../random.js";
import type { Connect, Endpointer } from "../endpoint.js";
import { type EndpointerOptions, endpoints } from "../endpointer.js";
import type { Subset } from "./subset.js";

/** As `endpoints(membership, connect, options)`, of those instances that `subset` takes. */
export function subsetEndpoints<C>(
  membership: Live<Membership>,
  subset: Subset,
  connect: Connect<C>,
  options: EndpointerOptions = {},
): Endpointer<C> {
  const unready = cell<ReadonlySet<string>>(new Set(), sameSet);
  const chosen = subset(membership, { random: options.random ?? systemRandom, unready });
  const endpointer = endpoints(chosen, connect, options);
  endpointer.availability.subscribe(() => {
    const down = endpointer.current.filter(({ state }) => state === "unready");
    unready.set(new Set(down.map(({ address }) => address)));
  });
  return endpointer;
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member));
}

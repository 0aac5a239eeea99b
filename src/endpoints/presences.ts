/**
 * Who is at which address, brought up to date view by view.
 *
 * Why not from each view anew: of 10,000 instances of which 200 change in a second there are 100 views a second, and each of
 * them would cost a hash table of 10,000 entries and more. Two views share the very instances that did not change, so one
 * walk along both finds what did, and everything else is done for that alone.
 */
import { byId, type Instance, type Membership } from "../instance.js";

/** An instance, and whether it is present only as a last resort. */
export interface Presence {
  readonly instance: Instance;
  readonly retained: boolean;
}

/** The instances at an address, by id. */
type Holders = Map<string, readonly Instance[]>;

const NOBODY: readonly Instance[] = [];

export class Presences {
  readonly #registeredAt: Holders = new Map();
  readonly #retainedAt: Holders = new Map();
  #registered = NOBODY;
  #retained = NOBODY;

  /** Takes over a view, and gives the addresses of all instances that came, went or changed. */
  update(view: Membership): ReadonlySet<string> {
    const { instances, retained } = view.state === "pending" ? { instances: NOBODY, retained: NOBODY } : view;
    const touched = new Set<string>();
    replace(this.#registeredAt, this.#registered, instances, touched);
    replace(this.#retainedAt, this.#retained, retained, touched);
    this.#registered = instances;
    this.#retained = retained;
    return touched;
  }

  /** Of several instances with an address the one with the lowest id speaks for it, and a registered one before a retained. */
  at(address: string): Presence | undefined {
    const registered = this.#registeredAt.get(address)?.[0];
    if (registered !== undefined) return { instance: registered, retained: false };
    const retained = this.#retainedAt.get(address)?.[0];
    return retained && { instance: retained, retained: true };
  }
}

/** Makes `holders`, which hold `before`, hold `after`. */
function replace(
  holders: Holders,
  before: readonly Instance[],
  after: readonly Instance[],
  touched: Set<string>,
): void {
  const left: Instance[] = [];
  const came: Instance[] = [];
  let next = 0;
  for (const instance of after) {
    let known = before[next];
    while (known !== undefined && known !== instance && byId(known, instance) <= 0) {
      left.push(known);
      known = before[++next];
    }
    if (known === instance) next += 1;
    else came.push(instance);
  }
  for (const instance of [...left, ...before.slice(next)]) {
    const others = holdersOf(holders, instance).filter((holder) => holder !== instance);
    if (others.length > 0) holders.set(instance.address, others);
    else holders.delete(instance.address);
    touched.add(instance.address);
  }
  for (const instance of came) {
    holders.set(instance.address, [...holdersOf(holders, instance), instance].sort(byId));
    touched.add(instance.address);
  }
}

function holdersOf(holders: Holders, { address }: Instance): readonly Instance[] {
  return holders.get(address) ?? NOBODY;
}

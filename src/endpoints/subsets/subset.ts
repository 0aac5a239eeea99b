/**
 * A client that connects to some of a service's instances and not to all: a thousand clients of a thousand servers would
 * have a million connections, each for a handful of calls.
 *
 * A subset stands between the registry and the connections, as in gRFC A68: at the strategy it would save picks, and no
 * connection. It is a view made of a view, so what the registry says of itself, stale or live, stays.
 */
import type { Instance, Membership } from "../../instance.js";
import type { Live } from "../../live.js";
import type { Random } from "../../random.js";

/** Made once per client. */
export type Subset = (membership: Live<Membership>, environment: SubsetEnvironment) => Live<Membership>;

export interface SubsetEnvironment {
  readonly random: Random;
  /**
   * The addresses of the subset that cannot be reached now. They stay in it, since only who is in it is connected to; others
   * come in beside them, so that a client is not left without anybody while the registry still lists the dead.
   */
  readonly unready: Live<ReadonlySet<string>>;
}

/**
 * For no more than about so many that cannot be reached others come in. Otherwise a client without a network would in the end
 * connect to all that are registered, as would every client when the servers are gone, and all at once when they are back.
 */
export const MOST_REPLACED = 100;

/**
 * `membership` with those instances that `choose` takes, which is asked again whenever the membership or one of `inputs`
 * changes. It keeps their order. Draining instances are left as they are: they get no new connection.
 */
export function chosenFrom(
  membership: Live<Membership>,
  choose: (instances: readonly Instance[]) => readonly Instance[],
  inputs: readonly Live<unknown>[],
): Live<Membership> {
  const sources = [membership, ...inputs];
  let madeOf: readonly unknown[] = [];
  let view = membership.current;
  const current = (): Membership => {
    const now = sources.map((source) => source.current);
    if (now.some((value, place) => value !== madeOf[place])) {
      const whole = membership.current;
      view =
        whole.state === "pending"
          ? whole
          : { ...whole, instances: choose(whole.instances), retained: choose(whole.retained) };
      madeOf = now;
    }
    return view;
  };
  return {
    get current() {
      return current();
    },
    subscribe(observer) {
      let told: Membership | undefined;
      const subscriptions = sources.map((source) =>
        source.subscribe(() => {
          const now = current();
          if (now === told) return;
          told = now;
          observer(now);
        }),
      );
      return {
        [Symbol.dispose]() {
          for (const subscription of subscriptions) subscription[Symbol.dispose]();
        },
      };
    },
  };
}

/** Each address once, in their order, without those where everybody is draining. */
export function openAddresses(instances: readonly Instance[]): readonly string[] {
  return [...new Set(instances.filter(({ draining }) => !draining).map(({ address }) => address))];
}

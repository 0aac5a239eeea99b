/**
 * Step 3 of 4: which endpoint takes the next call. Algorithm and metric are apart (as in Finagle's `loadbalancer`): a
 * strategy asks a candidate for its cost and never how that is measured.
 */
import type { Clock } from "../clock.js";
import type { Random } from "../random.js";

/** An endpoint as a strategy sees it. */
export interface Candidate {
  readonly address: string;
  readonly weight: number;
  readonly zone?: string;
  readonly version?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** When the address joined a set that was in use, on the balancer's clock; absent when it was there from the beginning. */
  readonly joinedMs?: number;
  /** False while it should get no call as long as another is usable: connecting, failing, ejected or retained. */
  readonly usable: boolean;
  /** Calls in progress here, of this client's. Unlike a cost it is known without a metric. */
  readonly pending: number;
  /**
   * What a call here would cost; lower is better. What the calls in progress add to it is divided by the weight. Without a
   * metric it is their number, and one.
   */
  cost(): number;
}

/** What is known of the call that is about to be placed. */
export interface PickContext {
  /** Addresses tried before: passed over while any other candidate is left. */
  readonly exclude?: ReadonlySet<string> | undefined;
  /** Calls with one key go to one endpoint, in the strategies that hash. */
  readonly hashKey?: string | undefined;
}

export interface StrategyEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  /** The combinators around the strategy that divide the set, by name, so that two of a kind divide keys independently. */
  readonly around?: readonly string[];
}

/** Called once per balancer. A cursor lives in what it returns and survives every update of the set. */
export type Strategy = (environment: StrategyEnvironment) => Distributor;

/** Called anew when the set or a weight changes, not when a candidate's status does. */
export type Distributor = <E extends Candidate>(candidates: readonly E[]) => Picker<E>;

/**
 * Chooses; synchronous and never waits. Prefers candidates that are usable and not excluded, then usable ones, then ones
 * that are not excluded, then any; undefined only when there is no candidate at all.
 */
export type Picker<E> = (context: PickContext) => E | undefined;

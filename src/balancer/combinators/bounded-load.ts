/**
 * One key, one endpoint, until that one has more than its share (consistent hashing with bounded loads, Mirrokni et al. 2016;
 * Envoy's and HAProxy's `hash_balance_factor`). Over a strategy that hashes it keeps a hot key, or an uneven ring, from
 * loading one endpoint with what others could take: such a call goes to the next endpoint of its key.
 *
 * An endpoint is full at ⌈factor · (m + 1) · its share of the weight⌉ calls in progress, of m on all usable ones together.
 * There is always one that is not full. To the strategy a full one is as one that is not usable, which it passes over anyway.
 * Only what is more important than balance overrules the bound: a call that is tried again goes to another endpoint.
 */
import { checkNumber } from "../../check-number.js";
import { refuseUnknownOptions } from "../../known-options.js";
import { checkStrategy } from "../check-balancer.js";
import { reluctance } from "../reluctance.js";
import type { Candidate, PickContext, Strategy } from "../strategy.js";
import { weightReader } from "../weight.js";
import { CandidateWrapper } from "./candidate-wrapper.js";

export interface BoundedLoadOptions {
  /**
   * How many times its share of the calls in progress an endpoint may have; default 1.25, at least 1. Less is more even, more
   * keeps more calls with their key's first endpoint. (Envoy: `hash_balance_factor`, and HAProxy: `hash-balance-factor`, in
   * percent, there off by default.)
   */
  readonly factor?: number | undefined;
}

const DEFAULTS = { factor: 1.25 };

const KNOWN: Readonly<Record<keyof BoundedLoadOptions, true>> = { factor: true };

/** `inner` is one that hashes. The calls are this client's own: those of others it does not know. */
export function boundedLoad(inner: Strategy, options: BoundedLoadOptions = {}): Strategy {
  checkStrategy("the strategy in boundedLoad()", inner);
  refuseUnknownOptions("boundedLoad()", options, KNOWN);
  const { factor = DEFAULTS.factor } = options;
  checkNumber("factor", factor, "from 1 on", factor >= 1);
  return (environment) => {
    const distribute = inner(environment);
    return <E extends Candidate>(candidates: readonly E[]) => {
      const bound = new Bound(candidates, factor);
      const pick = distribute(candidates.map((candidate) => new BoundedCandidate(candidate, bound)));
      return (context: PickContext): E | undefined => {
        bound.begin();
        const within = pick(context);
        if (within === undefined || reluctance(within, context) === 0) return within?.candidate;
        bound.lift();
        const free = pick(context)?.candidate ?? within.candidate;
        return reluctance(free, context) < reluctance(within.candidate, context) ? free : within.candidate;
      };
    };
  };
}

/** What the bound is during one pick: looked up over all candidates at most once, and not while those asked for are idle. */
class Bound {
  readonly #candidates: readonly Candidate[];
  readonly #weightOf: (candidate: Candidate) => number;
  readonly #factor: number;
  #state: "unmeasured" | "measured" | "lifted" = "unmeasured";
  #calls = 0;
  #weight = 0;

  constructor(candidates: readonly Candidate[], factor: number) {
    this.#candidates = candidates;
    this.#weightOf = weightReader(candidates);
    this.#factor = factor;
  }

  begin(): void {
    this.#state = "unmeasured";
  }

  lift(): void {
    this.#state = "lifted";
  }

  allows(candidate: Candidate): boolean {
    const { pending } = candidate;
    if (pending === 0 || this.#state === "lifted") return true;
    if (this.#state === "unmeasured") this.#measure();
    return pending < Math.ceil((this.#factor * (this.#calls + 1) * this.#weightOf(candidate)) / this.#weight);
  }

  #measure(): void {
    this.#state = "measured";
    this.#calls = 0;
    this.#weight = 0;
    for (const candidate of this.#candidates) {
      if (!candidate.usable) continue;
      this.#calls += candidate.pending;
      this.#weight += this.#weightOf(candidate);
    }
  }
}

/** One that is full is as one that is not usable. */
class BoundedCandidate<E extends Candidate> extends CandidateWrapper<E> {
  readonly #bound: Bound;

  constructor(candidate: E, bound: Bound) {
    super(candidate);
    this.#bound = bound;
  }

  override get usable(): boolean {
    return this.candidate.usable && this.#bound.allows(this.candidate);
  }
}

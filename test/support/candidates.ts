/** Groups of candidates for tests of combinators, and what is picked of them. */
import type { Candidate, PickContext, Picker } from "../../src/balancer/strategy.js";
import { type ManualCandidate, manualCandidates } from "../../src/testing/manual-candidates.js";

interface GroupTraits extends Partial<ManualCandidate> {
  /** How many are not usable: the last ones. */
  readonly unusable?: number;
}

/** `name-0`, `name-1` and so on. */
export function candidates(name: string, count: number, { unusable = 0, ...traits }: GroupTraits = {}) {
  const addresses = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  const group = manualCandidates(addresses, traits);
  for (const one of group.slice(count - unusable)) one.usable = false;
  return group;
}

/** The name that `candidates` was given. */
export function groupOf({ address }: Candidate): string {
  return address.slice(0, address.lastIndexOf("-"));
}

/** How often each was picked, by what `keyOf` gives: by default the address. */
export function tally<E extends Candidate>(
  pick: Picker<E>,
  picks: number,
  keyOf: (picked: E) => string = ({ address }) => address,
  contextOf: (n: number) => PickContext = () => ({}),
): Record<string, number> {
  const counted: Record<string, number> = {};
  for (let n = 0; n < picks; n += 1) {
    const picked = pick(contextOf(n));
    const key = picked === undefined ? "nobody" : keyOf(picked);
    counted[key] = (counted[key] ?? 0) + 1;
  }
  return counted;
}

/** Chance that comes in a thousand even steps: shares of a multiple of a thousand calls are met to the call. */
export function evenRandom(): () => number {
  let step = 0;
  return () => {
    step = (step + 1) % 1_000;
    return (step + 0.5) / 1_000;
  };
}

/** What a strategy that hashes owes to its keys, as tests, beside what every strategy owes. */
import assert from "node:assert/strict";
import type { Candidate, Distributor, Picker } from "../balancer/strategy.js";
import { seededRandom } from "../random.js";
import { type ManualCandidate, manualCandidates } from "./manual-candidates.js";
import type { TestFramework } from "./registry-contract.js";
import type { StrategyUnderTest } from "./strategy-contract.js";
import { virtualClock } from "./virtual-clock.js";

export interface HashingStrategyUnderTest extends StrategyUnderTest {
  /** How far the fullest of ten may be above its share of the keys, such as 0.1. */
  readonly unevenness: number;
  /** The fraction of the keys that may move although neither their old nor their new endpoint joined or left; default 0. */
  readonly disturbance?: number;
}

const ADDRESSES = Array.from({ length: 10 }, (_, n) => `10.0.0.${n}:50051`);
const KEYS = Array.from({ length: 5_000 }, (_, n) => `user-${n}`);
const [GONE = ""] = ADDRESSES;

export function hashingContract({ describe, it }: TestFramework, subject: HashingStrategyUnderTest): void {
  const { name, make, unevenness, disturbance = 0 } = subject;
  const client = (seed = 1): Distributor => make()({ clock: virtualClock(), random: seededRandom(seed) });

  describe(`${name} as a strategy that hashes`, () => {
    it("sends calls with one key to one endpoint, in every client and whatever the order of the set", async () => {
      const one = ownersBy(client(1)(manualCandidates(ADDRESSES)));
      assert.deepEqual(one, ownersBy(client(2)(manualCandidates(ADDRESSES.toReversed()))));
    });

    it("gives each endpoint its share of the keys, by weight", async () => {
      const set = manualCandidates(ADDRESSES);
      for (const candidate of set.slice(5)) candidate.weight = 3;
      const counted = countOf(ownersBy(client()(set)));
      for (const { address, weight } of set) {
        const share = (counted.get(address) ?? 0) / ((KEYS.length * weight) / 20);
        assert.ok(Math.abs(share - 1) <= unevenness, `${address} has ${share} of its share`);
      }
    });

    it("gives each endpoint its share of the calls without a key, by weight", async () => {
      const set = manualCandidates(ADDRESSES);
      for (const candidate of set.slice(5)) candidate.weight = 3;
      const pick = client()(set);
      const counted = countOf(Array.from({ length: 20_000 }, () => pick({})));
      for (const { address, weight } of set) {
        const share = (counted.get(address) ?? 0) / (1_000 * weight);
        assert.ok(Math.abs(share - 1) <= 0.12, `${address} has ${share} of its share`);
      }
    });

    it("moves no other key when an endpoint leaves, and all of its own back when it returns", async () => {
      const distribute = client();
      const before = ownersBy(distribute(manualCandidates(ADDRESSES)));
      const without = ownersBy(distribute(manualCandidates(ADDRESSES.slice(1))));
      const moved = KEYS.filter((_, n) => before[n] !== GONE && before[n] !== without[n]).length;
      assert.ok(moved <= disturbance * KEYS.length, `${moved} of ${KEYS.length} keys moved`);
      assert.deepEqual(ownersBy(distribute(manualCandidates(ADDRESSES))), before);
    });

    it("spreads the keys of an unusable endpoint over all the others and moves no other key", async () => {
      const set = manualCandidates(ADDRESSES);
      const pick = client()(set);
      const before = ownersBy(pick);
      const [gone] = set as [ManualCandidate];
      gone.usable = false;
      const meanwhile = ownersBy(pick);
      const heirs = new Set(meanwhile.filter((_, n) => before[n] === GONE));
      assert.deepEqual(heirs, new Set(ADDRESSES.slice(1)));
      assert.ok(KEYS.every((_, n) => before[n] === GONE || before[n] === meanwhile[n]));
      gone.usable = true;
      assert.deepEqual(ownersBy(pick), before);
    });

    it("has for each key an order of all endpoints, the same in every client, in which tries go on", async () => {
      const orders = [client(1), client(2)].map((distribute) => {
        const pick = distribute(manualCandidates(ADDRESSES));
        const exclude = new Set<string>();
        for (const _ of ADDRESSES) exclude.add(pick({ hashKey: "user-1", exclude })?.address ?? "none");
        return [...exclude];
      });
      assert.equal(orders[0]?.length, ADDRESSES.length);
      assert.deepEqual(orders[0], orders[1]);
    });
  });
}

function ownersBy(pick: Picker<Candidate>): (string | undefined)[] {
  return KEYS.map((hashKey) => pick({ hashKey })?.address);
}

function countOf(picked: readonly (string | Candidate | undefined)[]): Map<string, number> {
  const counted = new Map<string, number>();
  for (const one of picked) {
    const address = typeof one === "string" ? one : (one?.address ?? "none");
    counted.set(address, (counted.get(address) ?? 0) + 1);
  }
  return counted;
}

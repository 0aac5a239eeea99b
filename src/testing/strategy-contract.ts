/**
 * What every strategy owes to the balancer, as tests. The test framework is passed in, as in the registry contract, so that
 * importing `rollcall/testing` loads none.
 */
import assert from "node:assert/strict";
import { reluctance } from "../balancer/reluctance.js";
import type { Distributor, PickContext, Strategy } from "../balancer/strategy.js";
import { seededRandom } from "../random.js";
import { type ManualCandidate, manualCandidates } from "./manual-candidates.js";
import type { TestFramework } from "./registry-contract.js";
import { virtualClock } from "./virtual-clock.js";

export interface StrategyUnderTest {
  readonly name: string;
  /** Makes the strategy anew; each use of it starts from nothing. */
  readonly make: () => Strategy;
  /**
   * For a strategy that takes notice of weights: how far the share of a candidate may be from its weight's, such as 0.05 for
   * a twentieth. Absent: whatever their weights, all get the same calls, or those that a key decides.
   */
  readonly weightTolerance?: number;
}

const REMEDY = "take one with the lowest reluctance(candidate, context) of the set";
const PICKS = 200;
/** The share of the lightest, 1 in 31, is then known within 2 %. */
const WEIGHED_PICKS = 80_000;
const ADDRESSES = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"];
const [FIRST = "", ...OTHERS] = ADDRESSES;

export function strategyContract({ describe, it }: TestFramework, subject: StrategyUnderTest): void {
  const { name, make, weightTolerance } = subject;
  const distributor = () => make()({ clock: virtualClock(), random: seededRandom(7) });
  const picksOf = (candidates: readonly ManualCandidate[], context: PickContext = {}) => {
    const pick = distributor()(candidates);
    return Array.from({ length: PICKS }, () => pick(context)?.address);
  };

  describe(`${name} as a strategy`, () => {
    it("has nobody to pick in an empty set", async () => {
      assert.equal(distributor()([])({}), undefined, "an empty set has nobody to pick: return undefined");
    });

    it("always picks the only candidate, whatever is known of it", async () => {
      const only = manualCandidates([FIRST]);
      const exclude = new Set([FIRST]);
      assertAll(picksOf(only, { exclude }), FIRST);
      assertAll(picksOf(unusable(only), { exclude }), FIRST);
    });

    it("picks nobody who was tried before while another is left", async () => {
      for (const address of ADDRESSES) {
        const exclude = new Set(ADDRESSES.filter((other) => other !== address));
        assertAll(picksOf(manualCandidates(ADDRESSES), { exclude }), address);
      }
    });

    it("picks nobody unusable while another is usable", async () => {
      const set = [...manualCandidates([FIRST]), ...unusable(manualCandidates(OTHERS))];
      assertAll(picksOf(set), FIRST);
    });

    it("prefers one that is usable and was tried to one that is not usable", async () => {
      const set = [...manualCandidates([FIRST]), ...unusable(manualCandidates(OTHERS))];
      assertAll(picksOf(set, { exclude: new Set([FIRST]) }), FIRST);
    });

    it("picks, where nobody is usable, one that was not tried", async () => {
      const exclude = new Set(OTHERS);
      assertAll(picksOf(unusable(manualCandidates(ADDRESSES)), { exclude }), FIRST);
    });

    it("still picks somebody when nobody is usable", async () => {
      const picks = picksOf(unusable(manualCandidates(ADDRESSES)));
      assert.ok(
        picks.every((address) => address !== undefined),
        `picked nobody: ${REMEDY}`,
      );
    });

    it("picks the best that there is, in each state that the candidates can be in, also just after another", async () => {
      const set = manualCandidates(ADDRESSES);
      const pick = distributor()(set);
      for (let state = 0; state < 4 ** set.length; state += 1) {
        const exclude = new Set<string>();
        for (const [n, one] of set.entries()) {
          const bits = state >> (2 * n);
          one.usable = (bits & 1) === 0;
          if ((bits & 2) > 0) exclude.add(one.address);
        }
        const context: PickContext = state % 3 === 0 ? { exclude } : { exclude, hashKey: `key-${state}` };
        const picked = pick(context);
        const best = Math.min(...set.map((one) => reluctance(one, context)));
        const found = picked && reluctance(picked, context);
        assert.equal(found, best, `picked one with reluctance ${found} where one with ${best} was left: ${REMEDY}`);
      }
    });

    it("sees at the next pick that a candidate became usable", async () => {
      const set = manualCandidates(ADDRESSES);
      unusable(set.slice(0, 1));
      const pick = distributor()(set);
      for (let n = 0; n < PICKS; n += 1) assert.notEqual(pick({})?.address, FIRST);
      for (const one of set) one.usable = true;
      assert.equal(pick({ exclude: new Set(OTHERS) })?.address, FIRST);
    });

    it("picks from the new set once it was replaced", async () => {
      const distribute = distributor();
      const before = distribute(manualCandidates(ADDRESSES));
      for (let n = 0; n < PICKS; n += 1) before({});
      const pick = distribute(manualCandidates(OTHERS));
      for (let n = 0; n < PICKS; n += 1) assert.ok(OTHERS.includes(pick({})?.address ?? ""));
    });

    it("repeats itself with the same seed", async () => {
      assert.deepEqual(picksOf(manualCandidates(ADDRESSES)), picksOf(manualCandidates(ADDRESSES)));
    });

    it("gives nobody more or less than before after others have come and gone", async () => {
      const keys = Array.from({ length: PICKS }, (_, n) => `key-${n}`);
      const picks = (distribute: Distributor) => {
        const pick = distribute(manualCandidates(ADDRESSES));
        return keys.flatMap((hashKey) => Array.from({ length: 20 }, () => pick({ hashKey })?.address ?? ""));
      };
      const settled = distributor();
      const churned = distributor();
      for (let n = 0; n < 100; n += 1) {
        const pick = churned(manualCandidates(n % 2 === 0 ? ADDRESSES.slice(n % ADDRESSES.length) : ADDRESSES));
        pick({ hashKey: `${n}` });
      }
      const before = countsOf(picks(settled));
      const after = countsOf(picks(churned));
      for (const address of ADDRESSES) {
        const fair = (PICKS * 20) / ADDRESSES.length;
        assertWithin(0.12 * fair, after.get(address) ?? 0, before.get(address) ?? 0);
      }
    });

    if (weightTolerance !== undefined) {
      for (const weights of [
        [1, 1, 1, 1],
        [1, 2, 3, 4],
        [10, 10, 10, 1],
      ]) {
        it(`gives shares by the weights ${weights.join(", ")}, within ${weightTolerance * 100} %`, async () => {
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const pick = distributor()(
            ADDRESSES.flatMap((address, n) => manualCandidates([address], { weight: weights[n] ?? 1 })),
          );
          const picks = countsOf(Array.from({ length: WEIGHED_PICKS }, () => pick({})?.address ?? ""));
          for (const [n, address] of ADDRESSES.entries()) {
            const due = (WEIGHED_PICKS * (weights[n] ?? 0)) / total;
            assertWithin(weightTolerance * due, picks.get(address) ?? 0, due);
          }
        });
      }
    }
  });
}

function unusable(set: ManualCandidate[]): ManualCandidate[] {
  for (const one of set) one.usable = false;
  return set;
}

function assertAll(picks: readonly (string | undefined)[], right: string): void {
  const wrong = picks.filter((address) => address !== right);
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${picks.length} picks were ${wrong[0]} and not ${right}: ${REMEDY}`,
  );
}

function countsOf(addresses: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const address of addresses) counts.set(address, (counts.get(address) ?? 0) + 1);
  return counts;
}

function assertWithin(tolerance: number, actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} picks where ${expected.toFixed(0)} are due`);
}

import fc from "fast-check";
import { expect, it } from "vitest";
import { integerSource, seededRandom } from "../../random.js";
import { weightedDraw } from "./weighted-draw.js";

const DRAWS = 20_000;

function shares(weights: readonly number[], seed: number): number[] {
  const draw = weightedDraw([...weights.keys()], (index) => weights[index] ?? 0, integerSource(seededRandom(seed)));
  const counts = weights.map(() => 0);
  for (let n = 0; n < DRAWS; n += 1) counts[draw()]! += 1 / DRAWS;
  return counts;
}

it("draws each as often as its weight says, whatever the weights", () => {
  const weight = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(fc.array(weight, { minLength: 1, maxLength: 20 }), fc.integer(), (weights, seed) => {
      const total = weights.reduce((sum, one) => sum + one, 0);
      for (const [n, share] of shares(weights, seed).entries()) {
        // Six standard deviations of 20,000 draws.
        expect(Math.abs(share - (weights[n] ?? 0) / total)).toBeLessThan(0.022);
      }
    }),
    { seed: 1, numRuns: 50 },
  );
});

it("draws nobody but the only one", () => {
  expect(shares([0.1], 1)).toEqual([expect.closeTo(1)]);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { integerSource, randomInteger, randomLeaseId, seededRandom } from "./random.js";

test("a seed repeats its sequence and another seed gives another", () => {
  const take = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
  expect(take(1)).toEqual(take(1));
  expect(take(1)).not.toEqual(take(2));
});

test("integers stay below their bound and reach all of it evenly", () => {
  const random = seededRandom(7);
  const counts = [0, 0, 0, 0, 0];
  for (let index = 0; index < 50_000; index += 1) counts[randomInteger(random, 5)]! += 1;
  for (const count of counts) expect(count).toBeGreaterThan(9_500);
});

test("a source of integers repeats with its seed, and another seed gives another", () => {
  const take = (seed: number) => {
    const below = integerSource(seededRandom(seed));
    return Array.from({ length: 5 }, () => below(1_000));
  };
  expect(take(1)).toEqual(take(1));
  expect(take(1)).not.toEqual(take(2));
});

test("a source of integers reaches every number, and every pair in a row, evenly", () => {
  for (const seed of [1, 2, 3]) {
    for (const bound of [2, 7, 100]) {
      const below = integerSource(seededRandom(seed));
      const singles = new Uint32Array(bound);
      const pairs = new Uint32Array(bound * bound);
      for (let n = 0; n < 200_000; n += 1) {
        const [first, second] = [below(bound), below(bound)];
        singles[first]! += 1;
        pairs[first * bound + second]! += 1;
      }
      expect(deviation(singles), `${bound} by seed ${seed}`).toBeLessThan(4);
      expect(deviation(pairs), `pairs of ${bound} by seed ${seed}`).toBeLessThan(4);
    }
  }
});

/** How many standard deviations chi-square is away from what chance gives (Wilson and Hilferty). */
function deviation(counts: Uint32Array): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const spread = 2 / (9 * (counts.length - 1));
  return Math.abs((Math.cbrt(chiSquare / (counts.length - 1)) - (1 - spread)) / Math.sqrt(spread));
}

test("a lease id is positive and fits etcd's int64 for every source", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value) => {
      const id = randomLeaseId(() => value);
      expect(id > 0n && id < 1n << 63n).toBe(true);
    }),
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { randomInteger, randomLeaseId, seededRandom } from "./random.js";

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

test("a lease id is positive and fits etcd's int64 for every source", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value) => {
      const id = randomLeaseId(() => value);
      expect(id > 0n && id < 1n << 63n).toBe(true);
    }),
  );
});

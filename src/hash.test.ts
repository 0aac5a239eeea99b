import { describe, expect, it } from "vitest";
import { hash, hashFraction, mix32 } from "./hash.js";

describe("hash", () => {
  it.each([
    ["", 0, 0],
    ["", 1, 0x514e28b7],
    ["", 0xffffffff, 0x81f16f39],
    ["a", 0x9747b28c, 0x7fa09ea6],
    ["aa", 0x9747b28c, 0x5d211726],
    ["aaa", 0x9747b28c, 0x283e0130],
    ["aaaa", 0x9747b28c, 0x5a97808a],
    ["test", 0, 0xba6bd213],
    ["Hello, world!", 0x9747b28c, 0x24884cba],
    ["ππππππππ", 0x9747b28c, 0xd58063c1],
    ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ])("of %j with seed %i is what every MurmurHash3 gives", (text, seed, expected) => {
    expect(hash(text, seed)).toBe(expected);
  });

  it("changes each bit with a probability of a half when one character changes", () => {
    const flips = new Array<number>(32).fill(0);
    const pairs = 20_000;
    for (let n = 0; n < pairs; n += 1) {
      const changed = hash(`10.0.${n >> 8}.${n & 255}:80`, 1) ^ hash(`10.0.${n >> 8}.${n & 255}:81`, 1);
      for (let bit = 0; bit < 32; bit += 1) flips[bit]! += (changed >>> bit) & 1;
    }
    for (const flipped of flips) expect(Math.abs(flipped / pairs - 0.5)).toBeLessThan(0.02);
  });

  it("puts keys that differ in a counter evenly into buckets", () => {
    const buckets = new Array<number>(1_000).fill(0);
    for (let n = 0; n < 100_000; n += 1) buckets[hash(`user-${n}`, 0) % 1_000]! += 1;
    const chiSquared = buckets.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
    expect(chiSquared).toBeLessThan(1_142); // exceeded by one in a thousand of true chance
  });
});

it("makes fractions that come out anew with each seed", () => {
  const first = (seed: number) => hashFraction("10.0.0.1:1", seed) < hashFraction("10.0.0.2:1", seed);
  const firsts = Array.from({ length: 1_000 }, (_, seed) => first(seed)).filter(Boolean).length;
  expect(Math.abs(firsts - 500)).toBeLessThan(65); // 4 standard deviations
});

it("mixes one to one", () => {
  const seen = new Set<number>();
  for (let n = 0; n < 100_000; n += 1) seen.add(mix32(n));
  expect(seen.size).toBe(100_000);
});

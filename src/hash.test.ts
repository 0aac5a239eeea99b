import { describe, expect, it } from "vitest";
import { hash, hashFraction } from "./hash.js";

describe("hash", () => {
  it.each([
    ["", 0, 0],
    ["a", 0, 1_867_108_634],
    ["10.0.0.1:50051", 0, 378_335_505],
    ["10.0.0.1:50051", 7, 3_592_255_638],
    ["größe", 0x9747b28c, 961_486_646],
  ])("of %j with seed %d is what MurmurHash3 makes of its UTF-16", (text, seed, value) => {
    expect(hash(text, seed)).toBe(value);
  });

  it("spreads addresses that differ in one digit evenly, and anew with each seed", () => {
    for (const seed of [0, 1, 2]) {
      const tenths = new Array<number>(10).fill(0);
      for (let n = 0; n < 10_000; n += 1) {
        const tenth = Math.floor(hashFraction(`10.0.0.1:${n}`, seed) * 10);
        tenths[tenth] = (tenths[tenth] ?? 0) + 1;
      }
      for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(120); // 4 standard deviations
    }
    const first = (seed: number) => hashFraction("10.0.0.1:1", seed) < hashFraction("10.0.0.1:2", seed);
    const firsts = Array.from({ length: 1_000 }, (_, seed) => first(seed)).filter(Boolean).length;
    expect(Math.abs(firsts - 500)).toBeLessThan(65);
  });
});

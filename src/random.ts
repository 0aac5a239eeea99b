/** A source of randomness: each call gives a number in [0, 1). Passed in, so that a seed repeats a run exactly. */
export type Random = () => number;

/** The process's own source; not for secrets. */
export const systemRandom: Random = Math.random;

/** A repeatable source: the same 32-bit seed gives the same sequence (mulberry32; period 2^32, ample for picks and jitter). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whole numbers in [0, bound), for bounds up to 2^31. */
export type IntegerSource = (bound: number) => number;

/**
 * Integers by a generator of its own, sfc32 (Chris Doty-Humphrey, PractRand), which `random` seeds: for whoever draws at
 * every call. `Math.random` puts each number on the heap, 16 B; a small integer is none.
 */
export function integerSource(random: Random): IntegerSource {
  const seed = () => randomInteger(random, 2 ** 32) | 0;
  const below = sfc32(seed(), seed(), seed(), 1);
  for (let n = 0; n < 12; n += 1) below(1); // until every bit of the seed has reached every bit of the state
  return below;
}

function sfc32(a: number, b: number, c: number, count: number): IntegerSource {
  return (bound) => {
    const drawn = (a + b + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + drawn) | 0;
    return Math.floor(((drawn >>> 0) / 2 ** 32) * bound);
  };
}

/** A whole number in [0, bound). */
export function randomInteger(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

/** A positive 63-bit integer, as etcd's lease ids are. */
export function randomLeaseId(random: Random): bigint {
  const high = BigInt(randomInteger(random, 2 ** 31));
  const low = BigInt(randomInteger(random, 2 ** 32));
  return (high << 32n) | low || 1n;
}

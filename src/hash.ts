/**
 * One hash of strings for everything that has to come out the same in every process: which endpoint has a key, on which side
 * of a canary a user is, which servers a client's subset has. Not for secrets.
 */

/** MurmurHash3 (x86, 32 bit) of the string's UTF-16 code units, little endian; a whole number from 0 up to 2^32 - 1. */
export function hash(text: string, seed = 0): number {
  let state = seed | 0;
  const pairs = text.length & ~1;
  for (let at = 0; at < pairs; at += 2) {
    state ^= scrambled(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
    state = Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64;
  }
  if (pairs < text.length) state ^= scrambled(text.charCodeAt(pairs));
  return avalanche(state ^ (text.length * 2));
}

/** The same as a number in [0, 1). */
export function hashFraction(text: string, seed = 0): number {
  return hash(text, seed) / 2 ** 32;
}

function scrambled(block: number): number {
  const half = Math.imul(block, 0xcc9e2d51);
  return Math.imul((half << 15) | (half >>> 17), 0x1b873593);
}

function avalanche(state: number): number {
  let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

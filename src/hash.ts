/**
 * One hash of strings for everything that has to come out the same in every process: which endpoint has a key, on which side
 * of a canary a user is, which servers a client's subset has. A change of one character changes each bit with a probability
 * of a half. Who needs more than 32 bits takes two seeds. It is no defence against somebody who chooses strings that collide.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: the first half of the bytes is what ASCII means
const ASCII = /^[\x00-\x7f]*$/;

/** MurmurHash3 (x86, 32 bit) of the string's UTF-8 bytes, as in other languages; a whole number from 0 up to 2^32 - 1. */
export function hash(text: string, seed = 0): number {
  return hashOfBytes(ASCII.test(text) ? text : Buffer.from(text).toString("latin1"), seed);
}

/** The same as a number in [0, 1). */
export function hashFraction(text: string, seed = 0): number {
  return hash(text, seed) / 2 ** 32;
}

/** Spreads a 32-bit number over all 32-bit numbers, one to one. */
export function mix32(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Each character is a byte. */
function hashOfBytes(bytes: string, seed: number): number {
  let state = seed;
  let word = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    word |= bytes.charCodeAt(at) << ((at & 3) << 3);
    if ((at & 3) === 3) {
      state = absorb(state, word);
      word = 0;
    }
  }
  return mix32(state ^ scramble(word) ^ bytes.length);
}

function scramble(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function absorb(state: number, word: number): number {
  const mixed = state ^ scramble(word);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

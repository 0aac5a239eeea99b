/**
 * Keys are bytes; here they are strings with one character per byte, because JavaScript compares, hashes and sorts those
 * in the order of their bytes. A range is half-open, and a single key is the range that ends just after it.
 */
export interface KeyRange {
  readonly from: string;
  /** The first key past the range; absent means that it has no end. */
  readonly to?: string;
}

const LOWEST_BYTE = "\0";

export function keyString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** A request's `key` and `range_end` as etcd reads them: no end is the key alone, an end of one zero byte is everything from the key on. */
export function keyRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  const range = literalRange(key, rangeEnd);
  return range.to === LOWEST_BYTE ? { from: range.from } : range;
}

/** The same without a meaning for the zero byte: nothing lies between a key and that. */
export function literalRange(key: Uint8Array, rangeEnd: Uint8Array): KeyRange {
  const from = keyString(key);
  return rangeEnd.length === 0 ? singleKey(from) : { from, to: keyString(rangeEnd) };
}

export function singleKey(key: string): KeyRange {
  return { from: key, to: key + LOWEST_BYTE };
}

export function isEmptyRange(range: KeyRange): boolean {
  return range.to !== undefined && range.to <= range.from;
}

export function contains(range: KeyRange, key: string): boolean {
  return key >= range.from && (range.to === undefined || key < range.to);
}

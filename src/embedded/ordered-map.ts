import type { KeyRange } from "./key-range.js";

/**
 * A map whose ranges are read in key order. A sorted array beside a hash map: at the tens of thousands of keys that one
 * machine's registry holds, moving the tail of an array for a new key is cheaper than any tree.
 */
export class OrderedMap<V> {
  readonly #values = new Map<string, V>();
  #keys: string[] = [];

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#firstAtOrAfter(key), 0, key);
    this.#values.set(key, value);
  }

  /** The values of a range in key order. The map must not gain or lose keys before the iteration ends. */
  *range({ from, to }: KeyRange): Generator<V> {
    for (let index = this.#firstAtOrAfter(from); index < this.#keys.length; index += 1) {
      const key = this.#keys[index] as string; // the index is below the length
      if (to !== undefined && key >= to) return;
      yield this.#values.get(key) as V; // both hold the same keys
    }
  }

  values(): Iterable<V> {
    return this.#values.values();
  }

  /** Drops every entry that `keep` refuses, in one pass. */
  retain(keep: (value: V) => boolean): void {
    this.#keys = this.#keys.filter((key) => {
      const kept = keep(this.#values.get(key) as V); // both hold the same keys
      if (!kept) this.#values.delete(key);
      return kept;
    });
  }

  #firstAtOrAfter(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] as string) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

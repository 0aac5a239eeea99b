/** A binary heap by time, whose entries know their place, so that one leaves as cheaply as it came. */

/** While it is in a heap, `queuePosition` belongs to the heap and `dueMs` stands still. */
export interface TimeHeapEntry {
  readonly dueMs: number;
  /** -1 while it is in no heap. */
  queuePosition: number;
}

export class TimeHeap<E extends TimeHeapEntry> {
  readonly #heap: E[] = [];
  readonly #comesFirst: (a: E, b: E) => boolean;

  /** `comesFirst` breaks ties, where their order matters. */
  constructor(comesFirst: (a: E, b: E) => boolean = (a, b) => a.dueMs < b.dueMs) {
    this.#comesFirst = comesFirst;
  }

  get first(): E | undefined {
    return this.#heap[0];
  }

  get size(): number {
    return this.#heap.length;
  }

  add(entry: E): void {
    this.#heap.push(entry);
    this.#rise(entry, this.#heap.length - 1);
  }

  /** Does nothing when it is not there. */
  remove(entry: E): void {
    const place = entry.queuePosition;
    if (place < 0) return;
    entry.queuePosition = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#rise(last, place);
    this.#sink(last, last.queuePosition);
  }

  /** Puts `entry` at `from` or, as long as it comes before its parent, above it. */
  #rise(entry: E, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || !this.#comesFirst(entry, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(entry, place);
  }

  #sink(entry: E, from: number): void {
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      let child = this.#heap[below];
      const sibling = this.#heap[below + 1];
      if (child !== undefined && sibling !== undefined && this.#comesFirst(sibling, child)) {
        child = sibling;
        below += 1;
      }
      if (child === undefined || !this.#comesFirst(child, entry)) break;
      this.#put(child, place);
      place = below;
    }
    this.#put(entry, place);
  }

  #put(entry: E, place: number): void {
    this.#heap[place] = entry;
    entry.queuePosition = place;
  }
}

/**
 * How long calls took lately, to be asked for quantiles.
 *
 * Counts in buckets that grow by 4 %, over 0.1 ms to ten minutes (as HdrHistogram has them): a quantile is at most 4 % above
 * the true one, at a fixed size and without sorting. The window moves on by sixths of its length.
 */
const SMALLEST_MS = 0.1;
const GROWTH = 1.04;
const BUCKETS = 400;
const SLICES = 6;
/** A quantile is good for so long. */
const FRESH_MS = 100;

export class LatencyWindow {
  readonly #sliceMs: number;
  readonly #slices = Array.from({ length: SLICES }, () => new Uint32Array(BUCKETS));
  readonly #total = new Uint32Array(BUCKETS);
  #count = 0;
  #newest = 0;
  /** How many slices since the clock's origin, the newest included. */
  #turn: number | undefined;
  #answers = new Map<number, { readonly atMs: number; readonly value: number }>();

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / SLICES;
  }

  record(elapsedMs: number, nowMs: number): void {
    this.#moveTo(nowMs);
    const bucket = bucketOf(elapsedMs);
    add(this.#slices[this.#newest] as Uint32Array, bucket, 1);
    add(this.#total, bucket, 1);
    this.#count += 1;
  }

  /** How many there are in the window. */
  count(nowMs: number): number {
    this.#moveTo(nowMs);
    return this.#count;
  }

  /** What a share `quantile` of the calls did not exceed; `Infinity` when there are none, or beyond ten minutes. */
  quantile(quantile: number, nowMs: number): number {
    const known = this.#answers.get(quantile);
    if (known !== undefined && nowMs - known.atMs < FRESH_MS) return known.value;
    this.#moveTo(nowMs);
    const value = this.#find(quantile);
    this.#answers.set(quantile, { atMs: nowMs, value });
    return value;
  }

  #find(quantile: number): number {
    let left = Math.ceil(quantile * this.#count);
    if (left === 0) return Number.POSITIVE_INFINITY;
    for (let bucket = 0; bucket < BUCKETS - 1; bucket += 1) {
      left -= this.#total[bucket] ?? 0;
      if (left <= 0) return SMALLEST_MS * GROWTH ** bucket;
    }
    return Number.POSITIVE_INFINITY;
  }

  #moveTo(nowMs: number): void {
    const turn = Math.floor(nowMs / this.#sliceMs);
    const turns = Math.min(turn - (this.#turn ?? turn), SLICES);
    this.#turn = turn;
    for (let n = 0; n < turns; n += 1) {
      this.#newest = (this.#newest + 1) % SLICES;
      this.#forget(this.#slices[this.#newest] as Uint32Array);
    }
  }

  #forget(slice: Uint32Array): void {
    for (const [bucket, count] of slice.entries()) {
      add(this.#total, bucket, -count);
      this.#count -= count;
    }
    slice.fill(0);
  }
}

function add(counts: Uint32Array, bucket: number, change: number): void {
  counts[bucket] = (counts[bucket] ?? 0) + change;
}

/** The first whose upper end is not below. */
function bucketOf(elapsedMs: number): number {
  if (elapsedMs <= SMALLEST_MS) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(elapsedMs / SMALLEST_MS) / Math.log(GROWTH)));
}

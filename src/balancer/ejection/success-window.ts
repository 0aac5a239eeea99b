const BUCKETS = 10;

/**
 * How many calls succeeded and failed within the last `windowMs`, counted exactly, in tenths of it: the oldest tenth leaves
 * as a whole.
 *
 * Why not a moving average: what that says depends on how often calls come (Linkerd left it for the same reason).
 */
export class SuccessWindow {
  successes = 0;
  failures = 0;
  readonly #bucketMs: number;
  /** Successes and failures in turn, a pair for each tenth. */
  readonly #counts = new Uint32Array(2 * BUCKETS);
  /** The tenth in progress, counted from the clock's origin. */
  #tenth = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  /** From 0 to 1; 1 while there was no call. */
  get successRate(): number {
    const calls = this.successes + this.failures;
    return calls === 0 ? 1 : this.successes / calls;
  }

  add(success: boolean, nowMs: number): void {
    this.moveTo(nowMs);
    const place = 2 * (this.#tenth % BUCKETS) + (success ? 0 : 1);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    if (success) this.successes += 1;
    else this.failures += 1;
  }

  /** Lets go of what is over by now. */
  moveTo(nowMs: number): void {
    const tenth = Math.floor(nowMs / this.#bucketMs);
    if (tenth - this.#tenth >= BUCKETS) this.clear();
    else for (let next = this.#tenth + 1; next <= tenth; next += 1) this.#empty(next % BUCKETS);
    this.#tenth = Math.max(tenth, this.#tenth);
  }

  clear(): void {
    this.#counts.fill(0);
    this.successes = 0;
    this.failures = 0;
  }

  #empty(bucket: number): void {
    this.successes -= this.#counts[2 * bucket] ?? 0;
    this.failures -= this.#counts[2 * bucket + 1] ?? 0;
    this.#counts.fill(0, 2 * bucket, 2 * bucket + 2);
  }
}

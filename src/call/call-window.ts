/**
 * What became of the calls that ended lately.
 *
 * A call counts from its end, when something is known of it: counted from its start, one that takes longer than the window
 * would be a call without an end for as long as it counts, and the failures of a service that hangs would be forgotten before
 * they are known.
 */
const SLICES = 10;

/** The calls that ended in one slice of time. */
export interface Cohort {
  accepted: number;
  failed: number;
}

export class CallWindow {
  readonly #sliceMs: number;
  /** Newest first. */
  #cohorts: readonly Cohort[];
  #turn = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number) {
    this.#sliceMs = windowMs / SLICES;
    this.#cohorts = Array.from({ length: SLICES }, empty);
  }

  /** Those that end now. The caller keeps count in it. */
  current(nowMs: number): Cohort {
    this.#moveTo(nowMs);
    return this.#cohorts[0] as Cohort;
  }

  sum(field: keyof Cohort, nowMs: number): number {
    this.#moveTo(nowMs);
    return this.#cohorts.reduce((sum, cohort) => sum + cohort[field], 0);
  }

  #moveTo(nowMs: number): void {
    const turn = Math.floor(nowMs / this.#sliceMs);
    if (turn === this.#turn) return;
    const fresh = Math.min(turn - this.#turn, SLICES);
    this.#turn = turn;
    this.#cohorts = [...Array.from({ length: fresh }, empty), ...this.#cohorts.slice(0, SLICES - fresh)];
  }
}

function empty(): Cohort {
  return { accepted: 0, failed: 0 };
}

/**
 * What became of the calls that began lately.
 *
 * A call counts from its start, and its end is put down to the time when it began, so that a call and its end leave the
 * window together. One that has just begun is not held against the service: nobody can know yet.
 */
const SLICES = 10;

/** The calls that began in one slice of time. */
export interface Cohort {
  started: number;
  /** Of those, without an end so far. */
  pending: number;
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

  /** Those that begin now. The caller keeps count in it. */
  current(nowMs: number): Cohort {
    this.#moveTo(nowMs);
    return this.#cohorts[0] as Cohort;
  }

  sum(field: keyof Cohort, nowMs: number): number {
    this.#moveTo(nowMs);
    return this.#cohorts.reduce((sum, cohort) => sum + cohort[field], 0);
  }

  /** How many have no end, of those that began in this slice of the window or the one before. */
  young(nowMs: number): number {
    this.#moveTo(nowMs);
    return (this.#cohorts[0]?.pending ?? 0) + (this.#cohorts[1]?.pending ?? 0);
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
  return { started: 0, pending: 0, accepted: 0, failed: 0 };
}

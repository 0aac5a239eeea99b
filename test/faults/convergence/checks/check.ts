/** What every check of a recording is: a pure function, so that a test can show that it fails where it has to. */
import type { Recording } from "../recording.js";

export interface Violation {
  readonly check: string;
  readonly atMs: number;
  /** What was seen, and what should have been. */
  readonly what: string;
}

export type Check = (recording: Recording) => readonly Violation[];

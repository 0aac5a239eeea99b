/** What is written down of a run: everything; a summary or a plot takes from it what it needs. */
import type { Scenario } from "./scenario.js";

export interface Recording {
  readonly scenario: Scenario;
  /** In order of their end. */
  readonly calls: readonly RecordedCall[];
  readonly attempts: readonly RecordedAttempt[];
}

export interface RecordedCall {
  readonly beganMs: number;
  readonly tookMs: number;
  readonly ok: boolean;
}

export interface RecordedAttempt {
  readonly atMs: number;
  /** Its place among the servers of the scenario, from 0. */
  readonly server: number;
}

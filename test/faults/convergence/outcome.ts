/** What is told of a run: whether a check failed, and how much it has proved. */
import { allChecks } from "./checks/all.js";
import type { Violation } from "./checks/check.js";
import { placeViews } from "./placement.js";
import type { Recording } from "./recording.js";
import { kindOf, type Schedule } from "./schedule.js";
import { judge } from "./truth.js";

export interface Outcome {
  readonly seed: number;
  readonly etcd: string;
  readonly violations: readonly Violation[];
  /** How often each kind of thing was done. */
  readonly done: Readonly<Record<string, number>>;
  /** Views held against the history. */
  readonly views: number;
  /** Views of which nobody can tell, because a wipe came before the auditor had heard what they show. */
  readonly unknowable: number;
  /** Changes of keys in etcd. */
  readonly events: number;
  /** From the end of the last fault until all was as it should be. */
  readonly settledMs?: number;
}

export function outcomeOf(schedule: Schedule, recording: Recording): Outcome {
  const done: Record<string, number> = {};
  for (const action of schedule.actions) done[kindOf(action)] = (done[kindOf(action)] ?? 0) + 1;
  const judgements = recording.clients.flatMap((client) =>
    placeViews(client, recording.lives).map(({ view, life }) => judge(view, life, recording.lives)),
  );
  const { settled, healedAtMs } = recording;
  return {
    seed: schedule.seed,
    etcd: schedule.etcd,
    violations: allChecks.flatMap((check) => check(recording)),
    done,
    views: judgements.length,
    unknowable: judgements.filter((judgement) => judgement === "unknowable").length,
    events: recording.lives.reduce((sum, { events }) => sum + events.length, 0),
    ...(settled && { settledMs: settled.atMs - healedAtMs }),
  };
}

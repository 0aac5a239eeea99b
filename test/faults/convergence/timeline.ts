/** A run as a person reads it who has to find out what went wrong: all that happened, in order of time. */
import { describeEvent } from "../lab/auditor.js";
import type { Violation } from "./checks/check.js";
import type { Recording } from "./recording.js";
import { describeAction, type Schedule } from "./schedule.js";
import { shownLine } from "./truth.js";

export function timeline(schedule: Schedule, recording: Recording, violations: readonly Violation[]): string {
  const { startedAtMs, healedAtMs, settled, lives, intents, clients } = recording;
  const lines: { readonly atMs: number; readonly text: string }[] = [];
  const add = (atMs: number | undefined, text: string) => {
    if (atMs !== undefined) lines.push({ atMs, text });
  };

  for (const action of schedule.actions) add(startedAtMs + action.atMs, `>> ${describeAction(action)}`);
  add(healedAtMs, ">> everything is healed");
  add(settled?.atMs, ">> everything is as it should be");
  for (const [index, { sinceMs }] of lives.entries()) add(sinceMs, `>> life ${index} of the cluster`);
  for (const event of lives.flatMap(({ events }) => events)) add(event.atMs, `   etcd ${describeEvent(event)}`);
  for (const { writer, fromMs, registered, endedAtMs } of intents) {
    add(fromMs, `   ${writer} is to be registered`);
    add(registered?.atMs, `   ${writer} is registered, revision ${registered?.revision}`);
    add(endedAtMs, `   ${writer} is to be registered no more`);
  }
  for (const { name, views } of clients) {
    for (const { view, atMs } of views) {
      if (view.state === "pending") add(atMs, `   ${name} sees nothing: pending`);
      else {
        const set = view.instances.map((each) => shownLine(each).replace("/services/book/", "")).join("; ");
        const retained = view.retained.length > 0 ? `, ${view.retained.length} retained` : "";
        const where = `${view.state} ${view.epoch}/${view.revision}`;
        add(
          atMs,
          `   ${name} sees ${where} [${set}]${retained}${view.state === "stale" ? ` ${view.error.message}` : ""}`,
        );
      }
    }
  }
  for (const { check, what, atMs } of violations) add(atMs, `!! ${check}: ${what}`);
  return lines
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ atMs, text }) => `${((atMs - startedAtMs) / 1_000).toFixed(3).padStart(8)} ${text}`)
    .join("\n");
}

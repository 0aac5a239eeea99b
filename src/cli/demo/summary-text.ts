/** The summary for people. */

import type { Paint } from "../table.js";
import type { Summary } from "./events.js";

export function summaryLines(summary: Summary, paint: Paint): readonly string[] {
  const { calls, failed, slowestMs, killed, findings, elapsedMs, ok } = summary;
  return [
    `${calls} steady calls, ${failed} failed, the slowest took ${slowestMs.toFixed(0)} ms`,
    `${killed.address} got its last call ${killed.lastAttemptAfterMs === 0 ? "before" : `${killed.lastAttemptAfterMs} ms after`} it was killed; the registry ` +
      `dropped it after ${(killed.goneAfterMs / 1_000).toFixed(1)} s, when its lease ended`,
    "",
    ...findings.map(({ what, seen }) => (seen ? `${paint("green", "✔")} ${what}` : `${paint("red", "✘")} ${what}`)),
    "",
    `${ok ? paint("green", "All of it was seen") : paint("red", "Not all of it was seen")}, in ${(elapsedMs / 1_000).toFixed(1)} s`,
  ];
}

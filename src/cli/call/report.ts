/** Calls and what they amount to, as lines for people. */
import { json } from "../ndjson.js";
import { type Paint, table } from "../table.js";
import type { CallResult } from "./call-result.js";
import type { Summary } from "./summary.js";

export function resultText(result: CallResult, paint: Paint): string {
  const attempts = result.attempts > 1 ? `, ${result.attempts} attempts` : "";
  const cost = paint("dim", `${result.ms} ms${attempts}`);
  return result.ok
    ? `${result.address}  ${json(result.reply)}  ${cost}`
    : `${paint("red", result.code)}  ${result.message}  ${cost}`;
}

export function summaryText(summary: Summary, paint: Paint): string {
  const { calls, failed, slow, elapsedMs, callsPerSecond, latencyMs, instances } = summary;
  const { p50, p90, p99, max } = latencyMs;
  const failures = paint(failed > 0 ? "red" : "green", `${failed} failed`);
  const rows = Object.entries(instances).map(([address, { ok, failed, slow, p99 }]) => [
    address,
    ...[ok, failed, slow, p99].map(String),
  ]);
  return [
    `${calls} ${calls === 1 ? "call" : "calls"} in ${elapsedMs / 1_000} s (${callsPerSecond}/s): ${failures}, ${slow} slow`,
    `latency in ms: p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max}`,
    ...(rows.length > 0 ? table(["INSTANCE", "OK", "FAILED", "SLOW", "P99"], rows, paint) : []),
  ].join("\n");
}

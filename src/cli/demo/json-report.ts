/** The demo for programs: NDJSON, one event a line, each with its time. */
import type { Writable } from "node:stream";
import type { Report } from "./events.js";

export function jsonReport(stdout: Writable): Report {
  return (event) => void stdout.write(`${JSON.stringify({ ...event, at: new Date().toISOString() })}\n`);
}

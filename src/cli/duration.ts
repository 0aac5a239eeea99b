/** Durations as people write them on a command line. */
import { UsageError } from "./usage-error.js";

// Node's timers hold 31 bits and take anything longer for no time at all.
const LONGEST_MS = 2 ** 31 - 1;

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** `500ms`, `3s`, `1.5s`, `1m`, `1h` and plain `0`, in milliseconds. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const valueMs = Number(amount) * (unitsMs[unit as keyof typeof unitsMs] ?? Number.NaN);
  if (Number.isNaN(valueMs)) throw new UsageError(`"${text}" is no duration: write e.g. 500ms, 3s or 1m`);
  if (valueMs > LONGEST_MS) throw new UsageError(`"${text}" is longer than a timer can wait: 596h is the most`);
  return valueMs;
}

/** A duration that has to last. */
export function parsePositiveDuration(text: string): number {
  const valueMs = parseDuration(text);
  if (valueMs === 0) throw new UsageError(`"${text}" is no time at all: write e.g. 500ms, 3s or 1m`);
  return valueMs;
}

/** As it would be written on the command line: `500ms`, `3s`, `1.5s`. */
export function formatDuration(valueMs: number): string {
  return valueMs < 1_000 ? `${Math.round(valueMs)}ms` : `${Number((valueMs / 1_000).toFixed(1))}s`;
}

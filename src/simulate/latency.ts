/** How long calls take: a distribution as data, and the numbers drawn from it. */
import { type Random, randomInteger } from "../random.js";

export type Latency =
  | { readonly constantMs: number }
  /** Exponential with this mean: many short, few long, as in the textbooks of queueing. */
  | { readonly exponentialMs: number }
  /** By its quantiles, straight lines between them: `[[0, 160], [0.5, 167], [0.99, 192], [1, 200]]`. From 0 to 1, ascending. */
  | { readonly quantiles: readonly (readonly [share: number, ms: number])[] }
  /** Measured ones, of which any is drawn with the same probability. */
  | { readonly samplesMs: readonly number[] };

/** The next latency, in milliseconds. */
export function drawLatency(latency: Latency, random: Random): number {
  if ("constantMs" in latency) return latency.constantMs;
  if ("exponentialMs" in latency) return exponential(latency.exponentialMs, random);
  if ("samplesMs" in latency) return latency.samplesMs[randomInteger(random, latency.samplesMs.length)] ?? 0;
  return atQuantile(latency.quantiles, random());
}

/** Exponentially distributed with this mean. */
export function exponential(mean: number, random: Random): number {
  return -mean * Math.log(1 - random());
}

function atQuantile(quantiles: readonly (readonly [number, number])[], share: number): number {
  let [low = 0, lowMs = 0] = quantiles[0] ?? [];
  for (const [high, highMs] of quantiles) {
    if (share < high) return lowMs + ((share - low) / (high - low)) * (highMs - lowMs);
    low = high;
    lowMs = highMs;
  }
  return lowMs;
}

/**
 * One server of the tutorial's service whose mood its parent sets. It works on a few calls at a time and lets the others wait,
 * as a server before a pool of connections does.
 */
import { setTimeout as pause } from "node:timers/promises";
import { memory } from "rollcall";
import { GrpcError, serve } from "rollcall/grpc";
import { Test } from "../../examples/book/book_pb.js";

/** `cold` begins slow and warms up over seconds; `failing` says UNAVAILABLE at once; `hanging` never answers. */
export type Mood = "steady" | "slow" | "failing" | "hanging" | "cold";

export type Order = { readonly mood: Mood } | "count";
export type Report = { readonly address: string } | { readonly count: number };

const WORKERS = 8;
/** Half of each answer's time is fixed, the other half exponential. */
const WORK_MS = 8;
const SLOW_FACTOR = 25;
const COLD_FACTOR = 15;
const WARM_AFTER_MS = 6_000;

let mood: Mood = "steady";
let moodSinceMs = performance.now();
let received = 0;
let busy = 0;
const waiting: (() => void)[] = [];

async function work(): Promise<void> {
  if (busy >= WORKERS) await new Promise<void>((resolve) => waiting.push(resolve));
  busy += 1;
  try {
    await pause((WORK_MS / 2) * (1 - Math.log(1 - Math.random())) * factor());
  } finally {
    busy -= 1;
    waiting.shift()?.();
  }
}

function factor(): number {
  if (mood === "slow") return SLOW_FACTOR;
  const warm = (performance.now() - moodSinceMs) / WARM_AFTER_MS;
  return mood === "cold" ? Math.max(1, COLD_FACTOR * (1 - warm)) : 1;
}

const { address } = await serve({
  registry: memory(),
  service: "book",
  listen: "127.0.0.1:0",
  handlers: [
    [
      Test,
      {
        async test({ a, b }, { signal }) {
          received += 1;
          if (mood === "failing") throw new GrpcError("UNAVAILABLE", "out of order");
          if (mood === "hanging") await new Promise((_, reject) => signal.addEventListener("abort", reject));
          await work();
          return { v: `hello ${a} you are ${b} old?` };
        },
      },
    ],
  ],
});

process.on("message", (order: Order) => {
  if (order === "count") {
    process.send?.({ count: received } satisfies Report);
    received = 0;
  } else {
    mood = order.mood;
    moodSinceMs = performance.now();
  }
});
process.on("disconnect", () => process.exit());
process.send?.({ address } satisfies Report);

/**
 * What a balanced, retried call costs beyond the operation itself: no network, three endpoints, one caller.
 * Run it after a build: node dist/bench/call-overhead.js
 */
import { Bench } from "tinybench";
import { balance } from "../src/balancer/balance.js";
import { roundRobin } from "../src/balancer/strategies/round-robin.js";
import { compose } from "../src/call/compose.js";
import { retry } from "../src/call/retry/retry.js";
import { endpoints } from "../src/endpoints/endpointer.js";
import { manualMembership } from "../src/testing/manual-registry.js";

const membership = manualMembership();
membership.live("10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1");
const endpointer = endpoints(membership, () => ({ client: { answer: async () => 42 } }));
const balancer = balance(endpointer, roundRobin());
const retried = compose(balancer.call, retry({ attempts: 3 }));
const bare = { answer: async () => 42 };
const options = { timeoutMs: 3_000 };
const idempotent = { timeoutMs: 3_000, idempotent: true };

const CALLS = 1_000;
async function times(call: () => Promise<number>): Promise<void> {
  for (let n = 0; n < CALLS; n += 1) await call();
}

const bench = new Bench({ time: 1_000, warmupTime: 500 });
bench
  .add("await operation()", () => times(() => bare.answer()))
  .add("balancer.call", () => times(() => balancer.call((client) => client.answer(), options)))
  .add("compose(balancer.call, retry())", () => times(() => retried((client) => client.answer(), options)))
  .add("the same, idempotent", () => times(() => retried((client) => client.answer(), idempotent)));
await bench.run();

for (const { name, result } of bench.tasks) {
  if (!("latency" in result)) throw new Error(`${name} did not finish`);
  const nanoseconds = (result.latency.p50 * 1e6) / CALLS;
  console.log(`${name.padEnd(34)} ${nanoseconds.toFixed(0).padStart(6)} ns a call (median)`);
}
await balancer.close();
await endpointer.close();

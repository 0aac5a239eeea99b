import { balance } from "../../src/balancer/balance.js";
import { reluctance } from "../../src/balancer/reluctance.js";
import { roundRobin } from "../../src/balancer/strategies/round-robin.js";
import type { Strategy } from "../../src/balancer/strategy.js";
import type { CallContext, CallOptions } from "../../src/call/call.js";
import { compose } from "../../src/call/compose.js";
import { type RetryOptions, retry } from "../../src/call/retry/retry.js";
import { endpoints } from "../../src/endpoints/endpointer.js";
import type { Outcome } from "../../src/outcome.js";
import { seededRandom } from "../../src/random.js";
import { manualConnections } from "../../src/testing/manual-connections.js";
import { manualMembership } from "../../src/testing/manual-registry.js";
import { virtualClock } from "../../src/testing/virtual-clock.js";

export const ADDRESSES = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];

export class Failure extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Partial<Outcome>) {
    super(`${outcome.reached ?? "maybe-seen"} ${outcome.code ?? ""}`);
    this.outcome = { kind: "failed", reached: "maybe-seen", fault: "server", ...outcome };
  }
}

export const unavailable = () => new Failure({ code: "UNAVAILABLE" });
export const neverSent = () => new Failure({ reached: "never-sent", code: "UNAVAILABLE" });
export const refused = () => new Failure({ reached: "refused", code: "UNAVAILABLE" });

export type Server = (call: number, context: CallContext) => Promise<string>;

/** Servers that answer as `serve` says; `call` numbers the attempts at all of them, from 1. */
export function setUp(
  serve: Server,
  options: RetryOptions = {},
  addresses = ADDRESSES,
  strategy: Strategy = roundRobin(),
) {
  const clock = virtualClock();
  const random = seededRandom(5);
  const membership = manualMembership();
  const connections = manualConnections((address) => address, {
    outcomeOf: (error) => (error instanceof Failure ? error.outcome : new Failure({}).outcome),
  });
  const endpointer = endpoints(membership, connections.connect, { clock, random });
  const ended: Outcome[] = [];
  const meter = { cost: () => 0, begin: () => {}, end: (_call: unknown, outcome: Outcome) => void ended.push(outcome) };
  const balancer = balance(endpointer, strategy, { clock, random, metric: () => meter });
  membership.live(...addresses);
  const tried: { address: string; atMs: number; attempt: number }[] = [];
  const base = compose(balancer.call, retry({ clock, random, ...options }));
  const call = (callOptions?: CallOptions) =>
    base((address, context) => {
      tried.push({ address, atMs: clock.nowMs(), attempt: context.attempt });
      return serve(tried.length, context);
    }, callOptions);
  /** Runs one call to its end, however long that takes. */
  const settle = async (callOptions?: CallOptions, forMs = 60_000) => {
    const result = call(callOptions).then(
      (value) => ({ value, atMs: clock.nowMs(), error: undefined }),
      (error) => ({ value: undefined, atMs: clock.nowMs(), error }),
    );
    await clock.advance(forMs);
    return result;
  };
  return { clock, membership, connections, balancer, ended, tried, call, settle };
}

export function balanceOver(addresses: readonly string[]) {
  const membership = manualMembership();
  membership.live(...addresses);
  return balance(
    endpoints(membership, ({ address }) => ({ client: address })),
    roundRobin(),
  );
}

/** Always the first that is as good as any: it changes its mind only for a call that was there before. */
export const stubborn: Strategy = () => (candidates) => (context) =>
  candidates.toSorted((a, b) => reluctance(a, context) - reluctance(b, context))[0];

export const never = () => new Promise<never>(() => {});
export const answerIn = (clock: { after(ms: number, callback: () => void): unknown }, ms: number) =>
  new Promise<string>((resolve) => void clock.after(ms, () => resolve("late")));

/** Whatever comes and goes while calls are made: none is lost, none is counted twice, and nothing is left behind. */
import fc from "fast-check";
import {
  balance,
  type CallContext,
  type Connection,
  type ConnectionStatus,
  cell,
  compose,
  endpoints,
  type InFlight,
  type Instance,
  type Meter,
  type Outcome,
  type RetryOptions,
  random,
  retry,
  roundRobin,
  type Strategy,
  seededRandom,
} from "rollcall";
import { manualMembership, virtualClock } from "rollcall/testing";
import { describe, expect, test } from "vitest";

const ADDRESSES = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"];
const CALL_MS = 3_000;
/** Long enough for every call: no connection may be closed under one. */
const DRAIN_MS = 5_000;

/** A connection that knows whether it was closed under a call. */
class Wire {
  readonly status = cell<ConnectionStatus>("idle");
  inFlight = 0;
  closes = 0;
  /** Calls that it was closed under. */
  cut = 0;
}

type Answer = "ok" | "unavailable" | "refused" | "never-sent" | "not-found" | "hang" | "stream";

class Failure extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Omit<Outcome, "kind">) {
    super(outcome.code);
    this.outcome = { kind: "failed", ...outcome };
  }
}

const failures: Partial<Record<Answer, () => Failure>> = {
  unavailable: () => new Failure({ reached: "maybe-seen", fault: "server", code: "UNAVAILABLE" }),
  refused: () => new Failure({ reached: "refused", fault: "server", code: "UNAVAILABLE" }),
  "never-sent": () => new Failure({ reached: "never-sent", fault: "server", code: "UNAVAILABLE" }),
  "not-found": () => new Failure({ reached: "maybe-seen", fault: "caller", code: "NOT_FOUND" }),
};

/** A service whose set, connections and answers the test decides. */
function service(strategy: Strategy, options: RetryOptions = {}) {
  const clock = virtualClock();
  const chance = seededRandom(11);
  const membership = manualMembership();
  const wires: Wire[] = [];
  const connect = (_instance: Instance): Connection<Wire> => {
    const wire = new Wire();
    wires.push(wire);
    return {
      client: wire,
      status: wire.status,
      outcomeOf: (error) => (error as Failure).outcome,
      connect: () => wire.status.set("connecting"),
      async [Symbol.asyncDispose]() {
        wire.closes += 1;
        wire.cut += wire.inFlight;
        wire.status.set("idle");
      },
    };
  };
  let begun = 0;
  const ended = new Map<InFlight, number>();
  const meter: Meter = {
    cost: () => begun - ended.size,
    begin: () => {
      begun += 1;
    },
    end: (call) => void ended.set(call, (ended.get(call) ?? 0) + 1),
  };
  const endpointer = endpoints(membership, connect, { clock, random: chance, drainMs: DRAIN_MS, logger: false });
  const balancer = balance(endpointer, strategy, { clock, random: chance, metric: () => meter });
  const call = compose(balancer.call, retry({ clock, random: chance, ...options }));

  /** Runs for up to `forMs` and keeps count of itself. A cancelled one stops at once, as a transport's does. */
  const operation = (answer: Answer, forMs: number) => (wire: Wire, context: CallContext) => {
    if (wire.closes > 0) throw new Error("a call was begun on a closed connection");
    wire.inFlight += 1;
    let running = true;
    const finish = () => {
      if (running) wire.inFlight -= 1;
      running = false;
    };
    return new Promise<string>((resolve, reject) => {
      context.onCancel((reason) => {
        finish();
        reject(reason);
      });
      if (answer === "hang") return;
      clock.after(forMs, () => {
        const failure = failures[answer]?.();
        if (answer === "stream" && running) {
          context.holdUntil(
            new Promise((end) => {
              context.onCancel(finish);
              clock.after(forMs, () => {
                finish();
                end({ kind: "ok", reached: "maybe-seen" });
              });
            }),
          );
        } else finish();
        if (failure) reject(failure);
        else resolve(answer);
      });
    });
  };
  return { clock, membership, wires, endpointer, balancer, call, operation, ended, begun: () => begun };
}

type Step =
  | { readonly set: readonly { readonly address: string; readonly draining: boolean; readonly weight: number }[] }
  | { readonly status: ConnectionStatus; readonly wire: number }
  | {
      readonly call: Answer;
      readonly forMs: number;
      readonly idempotent: boolean;
      readonly abortAfterMs: number | null;
    }
  | { readonly stale: true }
  | { readonly waitMs: number };

const member = fc.record({
  address: fc.constantFrom(...ADDRESSES),
  draining: fc.boolean(),
  weight: fc.integer({ min: 1, max: 3 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ set: fc.uniqueArray(member, { selector: ({ address }) => address }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      status: fc.constantFrom<ConnectionStatus>("ready", "ready", "failing", "connecting", "idle"),
      wire: fc.nat(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      call: fc.constantFrom<Answer>("ok", "unavailable", "refused", "never-sent", "not-found", "hang", "stream"),
      forMs: fc.integer({ min: 0, max: 4_000 }),
      idempotent: fc.boolean(),
      abortAfterMs: fc.option(fc.integer({ min: 0, max: 3_500 })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ stale: true as const }) },
  { weight: 3, arbitrary: fc.record({ waitMs: fc.integer({ min: 0, max: 1_500 }) }) },
);

async function run(steps: readonly Step[], strategy: Strategy): Promise<void> {
  const { clock, membership, wires, endpointer, balancer, call, operation, ended, begun } = service(strategy);
  const settled: number[] = [];
  const late: number[] = [];
  let calls = 0;
  for (const each of steps) {
    if ("set" in each) {
      membership.live(...each.set.map((instance) => ({ id: instance.address, ...instance })));
    } else if ("status" in each) {
      const open = wires.filter(({ closes }) => closes === 0);
      open[each.wire % open.length]?.status.set(each.status);
    } else if ("call" in each) {
      const number = calls;
      calls += 1;
      settled[number] = 0;
      const startedMs = clock.nowMs();
      const abort = new AbortController();
      if (each.abortAfterMs !== null) clock.after(each.abortAfterMs, () => abort.abort());
      const { idempotent } = each;
      const settle = () => {
        settled[number] = (settled[number] ?? 0) + 1;
        if (clock.nowMs() - startedMs > CALL_MS) late.push(number);
      };
      call(operation(each.call, each.forMs), { timeoutMs: CALL_MS, idempotent, signal: abort.signal }).then(
        settle,
        settle,
      );
    } else if ("stale" in each) {
      membership.stale();
    } else {
      await clock.advance(each.waitMs);
    }
  }
  await clock.advance(CALL_MS);
  expect(settled).toEqual(settled.map(() => 1));
  expect(late).toEqual([]);

  const closing = Promise.all([balancer.close(), endpointer.close()]);
  await clock.advance(DRAIN_MS + 4_000);
  await closing;
  expect(wires.map(({ inFlight, closes, cut }) => [inFlight, closes, cut])).toEqual(wires.map(() => [0, 1, 0]));
  expect([...ended.values()]).toEqual(Array.from({ length: begun() }, () => 1));
  expect(clock.pendingTimers).toBe(0);
}

describe("endpoints that come and go while calls are made", () => {
  test.each([
    ["roundRobin", roundRobin],
    ["random", random],
  ])("lose no call, no connection and no timer with %s", async (_name, strategy) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) => run(steps, strategy())),
      { numRuns: 150, seed: 7 },
    );
  });

  test("survive a thousand updates in a row", async () => {
    const steps = fc.sample(step, { numRuns: 4_000, seed: 21 });
    expect(steps.filter((each) => "set" in each).length).toBeGreaterThan(900);
    await run(steps, roundRobin());
  });
});

import { channel } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { layered } from "../../test/support/layered-calls.js";
import { Failure, never, unavailable } from "../../test/support/retried-calls.js";
import { type CircuitChange, type CircuitState, circuitBreaker, transition } from "./circuit-breaker.js";
import { retry } from "./retry/retry.js";

function breaker() {
  const lines: string[] = [];
  const logger = { warn: (line: string) => void lines.push(line), info: () => {} };
  const set = layered(({ clock }) => [circuitBreaker({ clock, logger, name: "book" })]);
  /** Calls that fail, one after another. */
  const fail = async (calls: number) => {
    set.service.serve = () => Promise.reject(unavailable());
    for (let n = 0; n < calls; n += 1) await set.call();
  };
  return { ...set, lines, fail };
}

it("makes exactly the transitions drawn in the module comment", () => {
  const source = readFileSync(new URL("./circuit-breaker.ts", import.meta.url), "utf8");
  const drawn = [...source.matchAll(/^ \* {3}([\w-]+) +─ ([\w-]+) ─+▶ ([\w-]+)/gm)].map(([, ...line]) =>
    line.join(" "),
  );
  const reachable: readonly (readonly [CircuitState, readonly CircuitChange[]])[] = [
    ["closed", ["failing", "rested", "recovered"]],
    ["open", ["rested", "recovered"]],
    ["half-open", ["failing", "rested", "recovered"]],
  ];
  const made = reachable.flatMap(([state, changes]) =>
    changes
      .filter((change) => transition(state, change) !== state)
      .map((change) => `${state} ${change} ${transition(state, change)}`),
  );
  expect(drawn).toHaveLength(4);
  expect(made.sort()).toEqual(drawn.sort());
});

describe("a circuit breaker", () => {
  it("opens when half of at least twenty calls failed, and says so", async () => {
    const { service, call, fail, lines } = breaker();
    const events: unknown[] = [];
    const listener = (message: unknown) => void events.push(message);
    channel("rollcall:circuit-breaker").subscribe(listener);
    for (let n = 0; n < 15; n += 1) await call();
    await fail(14);
    expect(lines).toEqual([]);
    await fail(1);
    channel("rollcall:circuit-breaker").unsubscribe(listener);
    const reason = "15 of 30 calls failed within 10 s";
    expect(lines).toEqual([`the circuit of "book" is open: ${reason}`]);
    expect(events).toEqual([{ name: "book", state: "open", reason }]);
    service.sent = 0;
    expect(await call()).toBe("CIRCUIT_OPEN");
    expect(service.sent).toBe(0);
  });

  it("does not open for few calls, old failures, the caller's mistakes, or calls that were given up", async () => {
    const { clock, service, call, fail, lines } = breaker();
    await fail(19);
    await clock.advance(10_000);
    await fail(19);
    await clock.advance(10_000);
    service.serve = () => Promise.reject(new Failure({ fault: "caller", code: "NOT_FOUND" }));
    for (let n = 0; n < 50; n += 1) await call();
    service.serve = never;
    for (let n = 0; n < 50; n += 1) await call({ signal: AbortSignal.abort() });
    expect(lines).toEqual([]);
  });

  it("after its rest lets one call through, and closes if that succeeds", async () => {
    const { clock, service, call, fail, lines } = breaker();
    await fail(20);
    await clock.advance(4_999);
    expect(await call()).toBe("CIRCUIT_OPEN");
    await clock.advance(1);
    let answer = (_: string) => {};
    service.serve = () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      });
    service.sent = 0;
    const probe = call();
    expect(await call()).toBe("CIRCUIT_OPEN");
    answer("back");
    expect(await probe).toBe("back");
    service.serve = async () => "answer";
    expect(await call()).toBe("answer");
    expect(service.sent).toBe(2);
    expect(lines.at(-1)).toBe('the circuit of "book" is closed again');
  });

  it("stays open for another rest if that fails, and asks anew if it was given up", async () => {
    const { clock, service, call, fail } = breaker();
    await fail(20);
    await clock.advance(5_000);
    await fail(1);
    expect(await call()).toBe("CIRCUIT_OPEN");
    await clock.advance(5_000);
    service.serve = never;
    const leaving = new AbortController();
    const probe = call({ signal: leaving.signal });
    leaving.abort();
    expect(await probe).toBe("CANCELLED");
    service.serve = async () => "answer";
    expect(await call()).toBe("answer");
  });

  it("opens over a service that hangs, although its calls begin a whole window before they end", async () => {
    const { service, load, lines } = breaker();
    service.serve = never;
    await load(10, 15);
    expect(lines).toHaveLength(1);
  });

  it("takes the first message of a stream for its success, which may go on for days", async () => {
    const { clock, service, call, fail, lines } = breaker();
    await fail(20);
    await clock.advance(5_000);
    service.serve = async (context) => {
      context.holdUntil(never());
      return "first message";
    };
    expect(await call()).toBe("first message");
    expect(lines.at(-1)).toBe('the circuit of "book" is closed again');
    expect(await call()).toBe("first message");
  });

  it("lets another call try it out when the first has not ended after a rest, and goes by whichever ends first", async () => {
    const { clock, service, call, fail, lines } = breaker();
    await fail(20);
    await clock.advance(5_000);
    const answers: ((_: string) => void)[] = [];
    service.serve = () => new Promise((resolve) => void answers.push(resolve));
    const first = call();
    await clock.advance(4_999);
    expect(await call()).toBe("CIRCUIT_OPEN");
    await clock.advance(1);
    const second = call();
    expect(await call()).toBe("CIRCUIT_OPEN");
    answers[0]?.("late");
    expect(await first).toBe("late");
    service.serve = async () => "answer";
    expect(await call()).toBe("answer");
    answers[1]?.("later");
    expect(await second).toBe("later");
    expect(lines).toHaveLength(2);
  });

  it("judges by nothing that began before it opened", async () => {
    const { clock, service, call, fail } = breaker();
    const pending: ((error: Error) => void)[] = [];
    service.serve = () => new Promise((_, reject) => void pending.push(reject));
    for (let n = 0; n < 30; n += 1) void call();
    await fail(20);
    await clock.advance(5_000);
    service.serve = async () => "answer";
    expect(await call()).toBe("answer");
    for (const reject of pending) reject(unavailable());
    await clock.advance(0);
    expect(await call()).toBe("answer");
  });

  it("around retries judges whole calls, and takes none for a failure that a layer refused", async () => {
    const refusing = layered(({ clock, random }) => [
      () => () => Promise.reject(Object.assign(new Error("no"), { code: "E" })),
      retry({ clock, random }),
      circuitBreaker({ clock, logger: false, minCalls: 2 }),
    ]);
    expect([await refusing.call(), await refusing.call(), await refusing.call()]).toEqual([
      "CALL_FAILED",
      "CALL_FAILED",
      "CIRCUIT_OPEN",
    ]);
    const limited = layered(({ clock, random }) => [
      circuitBreaker({ clock, logger: false, minCalls: 2 }),
      retry({ clock, random }),
      circuitBreaker({ clock, logger: false, minCalls: 2, failureRatio: 1, name: "outer" }),
    ]);
    limited.service.serve = () => Promise.reject(unavailable());
    for (let n = 0; n < 2; n += 1) await limited.call();
    const { sent } = limited.service;
    for (let n = 0; n < 5; n += 1) expect(await limited.call()).toBe("CIRCUIT_OPEN");
    expect(limited.service.sent).toBe(sent);
  });
});

it("refuses options that are none", () => {
  expect(() => circuitBreaker({ failureRatio: 0 })).toThrow(/failureRatio must be/);
  expect(() => circuitBreaker({ minCalls: 0 })).toThrow(/minCalls must be/);
  expect(() => circuitBreaker({ openMs: -1 })).toThrow(/openMs must be/);
});

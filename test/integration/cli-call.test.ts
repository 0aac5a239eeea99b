/** `rollcall call`: the whole path to servers that answer, refuse, hang and die, from nothing but a .proto. */
import { setTimeout as delay } from "node:timers/promises";
import { type EmbeddedRegistry, startEmbedded } from "rollcall/embedded";
import { etcd } from "rollcall/etcd";
import { GrpcError, type ServeHandle, serve } from "rollcall/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Test } from "../../examples/book/book_pb.js";
import type { Summary } from "../../src/cli/call/summary.js";
import type { Registry } from "../../src/index.js";
import { runCli, startCli } from "../support/cli.js";
import { freePorts } from "../support/etcd.js";

let embedded: EmbeddedRegistry;
let registry: Registry;
let servers: readonly ServeHandle[];
let seen = 0;

/** `a` says what the server does: answer, refuse, hang, or hang for a while. */
async function answer(a: string, b: bigint): Promise<{ v: string }> {
  seen += 1;
  if (a === "refuse") throw new GrpcError("FAILED_PRECONDITION", "not today");
  if (a === "unavailable") throw new GrpcError("UNAVAILABLE", "on fire");
  if (a === "hang") await new Promise(() => {});
  if (a.startsWith("wait")) await delay(Number(a.slice(4)));
  return { v: `hello ${a} you are ${b} old?` };
}

beforeAll(async () => {
  embedded = await startEmbedded();
  registry = etcd({ endpoints: [embedded.endpoint] });
  const start = () =>
    serve({
      registry,
      service: "book",
      listen: "127.0.0.1:0",
      handlers: [[Test, { test: ({ a, b }) => answer(a, b) }]],
      signals: [],
      spreadMs: 0,
      drainMs: 0,
    });
  servers = await Promise.all([start(), start(), start()]);
});
afterAll(async () => {
  await Promise.all((servers ?? []).map((server) => server.close()));
  await registry?.close();
  await embedded?.close();
});

function args(a: string, ...more: readonly string[]): string[] {
  const request = JSON.stringify({ a, b: "9007199254740993" });
  const where = ["--service", "book", "--proto", "examples/book/book.proto", "--endpoints", embedded.endpoint];
  return ["call", "pb.Test/Test", request, ...where, ...more];
}

async function call(a: string, ...more: readonly string[]) {
  await using cli = startCli(args(a, ...more, "--json"));
  const { code, stderr } = await cli.ended;
  const events = cli.events();
  return { code, stderr, results: events.slice(0, -1), summary: events.at(-1)?.summary as Summary };
}

test("makes one call and says what came back, from where, and in what time", async () => {
  const { code, stderr, results, summary } = await call("Allen");
  expect([code, stderr]).toEqual([0, ""]);
  expect(results).toEqual([
    {
      ok: true,
      address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      attempts: 1,
      ms: expect.any(Number),
      reply: { v: "hello Allen you are 9007199254740993 old?" },
    },
  ]);
  expect(summary).toEqual({
    calls: 1,
    ok: 1,
    failed: 0,
    slow: expect.any(Number),
    elapsedMs: expect.any(Number),
    callsPerSecond: expect.any(Number),
    latencyMs: Object.fromEntries(["p50", "p90", "p99", "max"].map((name) => [name, expect.any(Number)])),
    byInstance: { [String(results[0]?.address)]: 1 },
    instances: {
      [String(results[0]?.address)]: { ok: 1, failed: 0, slow: expect.any(Number), p99: expect.any(Number) },
    },
  });
});

test("spreads the tutorial's eight calls 3/3/2 over three servers that take turns", async () => {
  const { code, results, summary } = await call("Allen", "-n", "8", "--balancer", "round-robin");
  expect([code, results.length]).toEqual([0, 8]);
  expect(Object.values(summary.byInstance).sort()).toEqual([2, 3, 3]);
});

test("--summary prints nothing else", async () => {
  const { results, summary } = await call("Allen", "-n", "50", "-c", "5", "--summary");
  expect([results, summary.calls, summary.ok]).toEqual([[], 50, 50]);
});

test("prints lines and a table for people", async () => {
  const { code, stdout } = await runCli(args("Allen", "-n", "3", "--balancer", "round-robin"));
  expect(code).toBe(0);
  expect(stdout.split("\n")).toEqual([
    ...Array.from({ length: 3 }, () =>
      expect.stringMatching(/^127\.0\.0\.1:\d+ {2}\{"v":"hello Allen you are 9007199254740993 old\?"\} {2}[\d.]+ ms$/),
    ),
    expect.stringMatching(/^3 calls in [\d.]+ s \([\d.]+\/s\): 0 failed, \d slow$/),
    expect.stringMatching(/^latency in ms: p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, max [\d.]+$/),
    expect.stringMatching(/^INSTANCE +OK +FAILED +SLOW +P99$/),
    ...Array.from({ length: 3 }, () => expect.stringMatching(/^127\.0\.0\.1:\d+ +1 +0 +\d +[\d.]+$/)),
    "",
  ]);
});

describe("failures", () => {
  test("carry the gRPC status and end with 1", async () => {
    const { code, results, summary } = await call("refuse");
    expect(code).toBe(1);
    expect(results).toMatchObject([{ ok: false, code: "FAILED_PRECONDITION", attempts: 1 }]);
    expect(String(results[0]?.message)).toContain("not today");
    expect(summary).toMatchObject({ calls: 1, ok: 0, failed: 1, byInstance: {} });
  });

  test("are tried again only where that does no harm", async () => {
    expect((await call("unavailable", "--attempts", "3")).results).toMatchObject([
      { code: "UNAVAILABLE", attempts: 1 },
    ]);
    seen = 0;
    const { results } = await call("unavailable", "--attempts", "3", "--idempotent");
    expect(results).toMatchObject([{ code: "UNAVAILABLE", attempts: 3 }]);
    expect(seen).toBe(3);
  });

  test("the deadline holds over all attempts", async () => {
    const { code, results, summary } = await call("hang", "--timeout", "600ms");
    expect([code, summary.slow]).toEqual([1, 1]);
    expect(results).toMatchObject([{ code: "DEADLINE_EXCEEDED", attempts: 1 }]);
    expect(results[0]?.ms).toBeGreaterThan(550);
    expect(results[0]?.ms).toBeLessThan(8_000);
  });

  test("an attempt can have a shorter one", async () => {
    const { results } = await call(
      "hang",
      "--timeout",
      "20s",
      "--attempt-timeout",
      "100ms",
      "--attempts",
      "2",
      "--idempotent",
    );
    expect(results).toMatchObject([{ code: "DEADLINE_EXCEEDED", attempts: 2 }]);
    expect(results[0]?.ms).toBeLessThan(15_000);
  });

  test("a service without instances, and an etcd that is down, have codes of our own", async () => {
    const [port] = await freePorts(1);
    const nobody = await call("Allen", "--service", "nobody", "--timeout", "2s");
    expect(nobody).toMatchObject({ code: 1, results: [{ ok: false, code: "NO_INSTANCES", attempts: 0 }] });
    const noEtcd = await call("Allen", "--endpoints", `127.0.0.1:${port}`, "--timeout", "300ms");
    expect(noEtcd).toMatchObject({ code: 1, results: [{ ok: false, code: "REGISTRY_UNAVAILABLE", attempts: 0 }] });
  });
});

describe("load", () => {
  test("on a service that nobody serves fails call by call in its time, and does not wait for ever", async () => {
    const { code, results } = await call("Allen", "--service", "nobody", "-n", "3", "--timeout", "2s");
    expect(code).toBe(1);
    expect(results.map((result) => result.code)).toEqual(Array.from({ length: 3 }, () => "NO_INSTANCES"));
  });

  test("ends after --duration, or after -n calls, whichever comes first", async () => {
    const [byTime, byNumber] = await Promise.all([
      call("wait50", "--duration", "1s", "-n", "1000", "--summary"),
      call("wait50", "--duration", "1m", "-n", "4", "--summary"),
    ]);
    expect(byTime.summary.calls).toBeLessThanOrEqual(20);
    expect(byTime.summary.elapsedMs).toBeGreaterThanOrEqual(1_000);
    expect(byNumber.summary.calls).toBe(4);
  });

  test("keeps to its rate although calls take longer than their distance", async () => {
    const { summary } = await call("wait200", "--rate", "50/s", "--duration", "1s", "--summary");
    // Timers that ring late on a busy machine may leave the last calls beyond the end.
    expect(summary.calls).toBeGreaterThan(25);
    expect(summary.calls).toBeLessThanOrEqual(50);
    // One after the other they would take 10 s.
    expect(summary.latencyMs.p50).toBeLessThan(2_000);
  });

  test("counts a call's latency from when it was due", async () => {
    // One caller, 100 ms a call, ten due in the first half second: the last waits for those before it.
    const { summary } = await call("wait100", "--rate", "20/s", "-n", "10", "-c", "1", "--summary");
    expect(summary.calls).toBe(10);
    expect(summary.latencyMs.max).toBeGreaterThan(500);
  });

  test("Ctrl-C ends it with the summary", async () => {
    await using cli = startCli(args("Allen", "--duration", "1m", "--rate", "20/s", "--json"));
    await cli.event(({ ok }) => ok === true);
    cli.kill("SIGINT");
    const { code, stderr } = await cli.ended;
    expect([code, stderr]).toEqual([0, ""]);
    const finished = cli.events().length - 1;
    expect(cli.events().at(-1)).toMatchObject({ summary: { calls: finished, ok: finished } });
  });
});

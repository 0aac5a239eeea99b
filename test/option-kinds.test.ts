/** In plain JavaScript nobody tells of an option of the wrong kind, and it would fail at the first call or in silence. */
import { describe, expect, test } from "vitest";
import { grpcClient, serve } from "../src/adapters/grpc/index.js";
import * as rollcall from "../src/index.js";

const { p2c, peakEwma, retry, throttle } = rollcall;
const registry = rollcall.memory();
const whole = { registry, service: "book", connect: () => ({ client: 0 }) };
/** What a program without types may pass. */
const client = (options?: object) => rollcall.client(options as never);
const strategies = rollcall as unknown as Readonly<Record<string, (...given: unknown[]) => rollcall.Strategy>>;

describe("a client refuses", () => {
  test.each<[options: object | undefined, remedy: RegExp]>([
    [undefined, /takes an object of options, not undefined/],
    [{}, /`registry` has to be a registry, such as etcd\(\) gives; it is undefined/],
    [{ ...whole, service: "" }, /`service` has to be the name/],
    [{ ...whole, connect: undefined }, /`connect` has to be a function: write e.g. grpcConnect\(Service\)/],
    [{ ...whole, strategy: p2c }, /p2c\(\) takes no options; where it is one itself, write p2c\(\)/],
    [{ ...whole, strategy: "p2c" }, /`strategy` has to be a function: write e.g. p2c\(\); it is "p2c"/],
    [{ ...whole, strategy: rollcall.slowStart(p2c as never) }, /p2c\(\) takes no options/],
    [{ ...whole, strategy: () => ({}) }, /`strategy` has to be a strategy, such as p2c\(\) gives; it made an object/],
    [{ ...whole, metric: peakEwma }, /`metric\(\)` has to be a meter.*with its parentheses/],
    [{ ...whole, metric: p2c() }, /`metric\(\)` has to be a meter.*with its parentheses/],
    [{ ...whole, layers: throttle() }, /`layers` has to be a list/],
    [{ ...whole, layers: [throttle] }, /throttle\(\) takes an object of options, not the function/],
    [{ ...whole, layers: ["throttle"] }, /`layers` has to be a function/],
    [{ ...whole, subset: 20 }, /`subset` has to be a function: write e.g. randomSubset\(\)/],
    [{ ...whole, retry: true }, /`retry` has to be false or the options of retry\(\)/],
    [{ ...whole, retry: { backoff: { minMs: 3 } } }, /backoff has no option `minMs`; it has baseMs, maxMs/],
    [{ ...whole, retry: { backoff: { baseMs: 3 } } }, /backoff.maxMs must be a number of milliseconds from 0 on/],
    [{ ...whole, retry: { budget: { ratio: 0.1 } } }, /`budget` has to be what retryBudget\({ ratio }\) gives/],
    [{ ...whole, idempotent: "yes" }, /`idempotent` has to be true or false/],
    [{ ...whole, whenEmpty: "block" }, /`whenEmpty` has to be "wait" or "fail"/],
  ])("%o", (options, remedy) => {
    expect(() => client(options)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(remedy) }),
    );
  });
});

test("what has no options takes none", () => {
  for (const name of ["leastRequest", "p2c", "pending", "random", "roundRobin", "weightedRoundRobin"]) {
    expect(() => strategies[name]?.({ choices: 3 })).toThrow(`${name}() takes no options`);
  }
});

test("a combinator needs a strategy", () => {
  for (const name of ["boundedLoad", "canary", "filter", "priority", "slowStart", "zoneAware"]) {
    expect(() => strategies[name]?.()).toThrow(`\`the strategy in ${name}()\` has to be a function`);
  }
});

test("numbers match no metadata, which is text", () => {
  const match = { metadata: { shard: 8 } } as never;
  expect(() => rollcall.filter(p2c(), { match })).toThrow('filter() compares texts, so shard has to be one: write "8"');
});

test("callers of zones need the client's own", () => {
  expect(() => rollcall.zoneAware(p2c(), { zone: "a", callers: { b: 3 } })).toThrow('lack the client\'s own zone "a"');
});

test("retry() judges `idempotent` by itself, too", () => {
  expect(() => retry({ idempotent: 1 as never })).toThrow("`idempotent` has to be true or false; it is 1");
});

test("a gRPC client needs a service with methods", () => {
  expect(() => grpcClient({}, { registry, service: "book" })).toThrow("the service has no methods");
});

describe("serve() refuses", () => {
  test.each<[options: object, remedy: RegExp]>([
    [{ registry: undefined }, /`registry` has to be a registry/],
    [{ drainMs: -1 }, /drainMs must be a number of milliseconds from 0 on, not -1/],
    [{ spreadMs: "1s" }, /spreadMs must be a number of milliseconds from 0 on, not 1s/],
    [{ startTimeoutMs: Number.NaN }, /startTimeoutMs must be/],
    [{ signals: ["SIGFOO"] }, /`signals` has to be a list such as \["SIGTERM"\]; there is no SIGFOO/],
    [{ tls: {} }, /tls of a server needs `cert`/],
  ])("%o", async (options, remedy) => {
    const wrong = { registry, service: "book", listen: "127.0.0.1:0", handlers: [], ...options };
    await expect(serve(wrong as never)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(remedy),
    });
  });
});

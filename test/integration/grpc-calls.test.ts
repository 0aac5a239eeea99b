/** Calls of every kind from a typed client to a typed server, over real sockets. */
import { Metadata, status } from "@grpc/grpc-js";
import { CallError, type Connection, memory } from "rollcall";
import { type GrpcClient, grpcClient, grpcConnect, type HandlerContext, outcomeOf } from "rollcall/grpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { aborted, startTalk, type TalkServer } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";

const registry = memory();
let server: TalkServer;
let connection: Connection<GrpcClient<typeof Talk>>;
let client: GrpcClient<typeof Talk>;

beforeAll(async () => {
  server = await startTalk(registry);
  connection = grpcConnect(Talk, { metadata: { "x-base": "base" } })({ id: "talk", address: server.handle.address });
  client = connection.client;
});

afterAll(async () => {
  await connection[Symbol.asyncDispose]?.();
  await server[Symbol.asyncDispose]();
});

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

async function* each<T>(...values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function failureOf(
  call: Promise<unknown>,
): Promise<Error & { code: number; details: string; metadata: Metadata }> {
  try {
    await call;
  } catch (error) {
    return error as Error & { code: number; details: string; metadata: Metadata };
  }
  throw new Error("the call was expected to fail");
}

describe("kinds of calls", () => {
  test("unary", async () => {
    expect((await client.say({ text: "hello" })).text).toBe("hello");
  });

  test("server streaming", async () => {
    expect((await collect(client.count({ value: 5 }))).map(({ value }) => value)).toEqual([1, 2, 3, 4, 5]);
  });

  test("server streaming of more than the buffers hold", async () => {
    expect(await collect(client.count({ value: 5_000 }))).toHaveLength(5_000);
  });

  test("client streaming", async () => {
    expect((await client.sum(each({ value: 1 }, { value: 2 }, { value: 3 }))).value).toBe(6);
  });

  test("client streaming whose handler replies before it has read everything", async () => {
    async function* endless() {
      for (let value = 1; ; value = -1) yield { value };
    }
    expect((await client.sum(endless())).value).toBe(-1);
  });

  test("client streaming of requests that are all there leaves the event loop to others", async () => {
    let turns = 0;
    const counting = setInterval(() => {
      turns += 1;
    }, 1);
    function* plenty() {
      for (let number = 0; number < 20_000; number += 1) yield { value: turns > 5 ? -1 : 1 };
    }
    await client.sum(plenty() as never);
    clearInterval(counting);
    expect(turns).toBeGreaterThan(5);
  });

  test("client streaming that cannot start rejects", async () => {
    const failure = client.sum(each({ value: 1 }), { metadata: { "no such key": "x" } });
    await expect(failure).rejects.toThrow("Metadata key");
  });

  test("bidirectional, and the handler goes on after the last request", async () => {
    const replies = await collect(client.echo(each({ text: "a" }, { text: "b" })));
    expect(replies.map(({ text }) => text)).toEqual(["a", "b", "end"]);
  });

  test("bidirectional, turn by turn", async () => {
    let ask: (text: string | undefined) => void = () => {};
    async function* questions() {
      for (;;) {
        const text = await new Promise<string | undefined>((resolve) => {
          ask = resolve;
        });
        if (text === undefined) return;
        yield { text };
      }
    }
    const replies = client.echo(questions())[Symbol.asyncIterator]();
    for (const text of ["one", "two"]) {
      await new Promise((resolve) => setImmediate(resolve));
      ask(text);
      expect((await replies.next()).value?.text).toBe(text);
    }
    await replies.return?.();
  });

  test("a stream that ended before anybody read it", async () => {
    let ended: () => void = () => {};
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const replies = client.count({ value: 0 }, { onTrailer: () => ended() });
    await end;
    await expect(collect(replies)).rejects.toMatchObject({ code: status.OUT_OF_RANGE, details: "nothing to count" });
  });

  test("requests that fail cancel the call and are what the reader gets", async () => {
    async function* failing() {
      yield { text: "a" };
      throw new Error("no more paper");
    }
    await expect(collect(client.echo(failing()))).rejects.toThrow("no more paper");
  });

  test("a request that cannot be encoded fails as the caller's mistake and sends nothing", async () => {
    const before = server.contexts.length;
    const unreadable = {
      toString() {
        throw new TypeError("not for reading");
      },
    };
    expect(outcomeOf(await failureOf(client.say({ text: unreadable as never })))).toMatchObject({ fault: "caller" });
    expect(server.contexts.length).toBe(before);
    const streamed = failureOf(collect(client.count({ value: 2 ** 40 })));
    expect(outcomeOf(await streamed)).toMatchObject({ kind: "failed", fault: "caller" });
  });
});

describe("metadata", () => {
  test("of connection and call are merged, binary values arrive as bytes", async () => {
    let header: Metadata | undefined;
    let trailer: Metadata | undefined;
    await client.say(
      { text: "hello" },
      {
        metadata: { "x-own": "own", "x-base": "more", "x-bytes-bin": Buffer.from([0, 255]) },
        onHeader: (metadata) => {
          header = metadata;
        },
        onTrailer: (metadata) => {
          trailer = metadata;
        },
      },
    );
    const received = server.contexts.at(-1)?.metadata;
    expect(received?.get("x-base")).toEqual(["base, more"]);
    expect(received?.get("x-own")).toEqual(["own"]);
    expect(received?.get("x-bytes-bin")).toEqual([Buffer.from([0, 255])]);
    expect(header?.get("x-own")).toEqual(["own"]);
    expect(trailer?.get("x-peer")[0]).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test("may be grpc-js's own", async () => {
    const metadata = new Metadata();
    metadata.set("x-own", "grpc");
    await client.say({ text: "hello" }, { metadata });
    expect(server.contexts.at(-1)?.metadata.get("x-own")).toEqual(["grpc"]);
    expect(metadata.getMap()).toEqual({ "x-own": "grpc" });
  });
});

describe("failures", () => {
  test("keep code, details and trailers from end to end", async () => {
    for (const code of ["NOT_FOUND", "UNAVAILABLE", "DATA_LOSS", "CANCELLED"] as const) {
      const error = await failureOf(client.say({ text: `fail:${code}:not here: 100 %` }));
      expect(error).toMatchObject({ code: status[code], details: "not here: 100 %" });
      expect(error.metadata.get("reason")).toEqual(["because"]);
      expect(error.metadata.get("x-peer")).toHaveLength(1);
    }
  });

  test("of a stream do so too", async () => {
    const replies = client.echo(each({ text: "a" }, { text: "fail:ABORTED:enough" }));
    await expect(collect(replies)).rejects.toMatchObject({ code: status.ABORTED, details: "enough" });
  });

  test("that are plain errors become UNKNOWN with their message", async () => {
    await expect(client.say({ text: "throw" })).rejects.toMatchObject({ code: status.UNKNOWN, details: "a mishap" });
  });

  test("are the cause of the CallError of a balanced client", async () => {
    await using talk = grpcClient(Talk, { registry, service: "talk" });
    const error = await failureOf(talk.say({ text: "fail:NOT_FOUND:gone" }));
    expect(error).toBeInstanceOf(CallError);
    expect(error.cause).toMatchObject({ code: status.NOT_FOUND, details: "gone" });
  });
});

describe("deadlines and cancellation", () => {
  test("the deadline is on the wire, and the handler's signal aborts when it passes", async () => {
    const before = Date.now();
    const error = await failureOf(client.say({ text: "wait" }, { timeoutMs: 300 }));
    const context = server.contexts.at(-1);
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    expect(context?.deadline?.getTime()).toBeGreaterThan(before + 200);
    expect(context?.deadline?.getTime()).toBeLessThan(before + 8_000);
    await aborted(context?.signal as AbortSignal);
  });

  test("the earlier of timeoutMs and deadlineMs holds", async () => {
    const startedMs = performance.now();
    await failureOf(client.say({ text: "wait" }, { timeoutMs: 60_000, deadlineMs: startedMs + 100 }));
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test("a call without deadline has none on the server", async () => {
    await client.say({ text: "hello" });
    expect(server.contexts.at(-1)?.deadline).toBeUndefined();
  });

  test("aborting a unary call reaches the server", async () => {
    const abort = new AbortController();
    const calls = server.contexts.length;
    const failure = failureOf(client.say({ text: "wait" }, { signal: abort.signal }));
    await server.arrived(calls + 1);
    abort.abort(new Error("changed my mind"));
    expect(await failure).toMatchObject({ code: status.CANCELLED, cause: new Error("changed my mind") });
    await aborted(server.contexts.at(-1)?.signal as AbortSignal);
    expect(outcomeOf(await failure).kind).toBe("cancelled");
  });

  test("a signal that has aborted already cancels at once", async () => {
    const failure = await failureOf(client.say({ text: "hello" }, { signal: AbortSignal.abort() }));
    expect(outcomeOf(failure).kind).toBe("cancelled");
  });

  test.each(["sum", "count", "echo"] as const)("aborting a %s reaches the server", async (kind) => {
    const signals: AbortSignal[] = [];
    const untilAborted = async ({ signal }: HandlerContext) => {
      signals.push(signal);
      await aborted(signal);
    };
    await using patient = await startTalk(
      memory(),
      {},
      {
        sum: async (_, context) => untilAborted(context).then(() => ({})),
        async *count(_, context) {
          yield {};
          await untilAborted(context);
        },
        async *echo(_, context) {
          yield {};
          await untilAborted(context);
        },
      },
    );
    const talk = grpcConnect(Talk)({ id: "talk", address: patient.handle.address });
    const abort = new AbortController();
    async function* silent() {
      await aborted(abort.signal);
      yield {};
    }
    const options = { signal: abort.signal };
    const start = {
      sum: () => talk.client.sum(silent(), options),
      count: () => collect(talk.client.count({}, options)),
      echo: () => collect(talk.client.echo(silent(), options)),
    };
    const failure = failureOf(start[kind]());
    while (signals.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort(new Error("changed my mind"));
    expect(await failure).toMatchObject({ code: status.CANCELLED, cause: new Error("changed my mind") });
    await aborted(signals[0] as AbortSignal);
    await talk[Symbol.asyncDispose]?.();
  });

  test("leaving a stream early cancels it on the server", async () => {
    const calls = server.contexts.length;
    for await (const { value } of client.count({ value: -3 })) if (value === 2) break;
    await server.arrived(calls + 1);
    await aborted(server.contexts.at(-1)?.signal as AbortSignal);
  });

  test("cancelling a call of a balanced client reaches the server", async () => {
    await using talk = grpcClient(Talk, { registry, service: "talk" });
    const abort = new AbortController();
    const calls = server.contexts.length;
    const failure = failureOf(talk.say({ text: "wait" }, { signal: abort.signal }));
    await server.arrived(calls + 1);
    abort.abort();
    expect(await failure).toMatchObject({ code: "CANCELLED" });
    await aborted(server.contexts.at(-1)?.signal as AbortSignal);
  });

  test("the handler's signal does not abort after a call that ended well", async () => {
    await client.say({ text: "hello" });
    const { signal } = server.contexts.at(-1) as { signal: AbortSignal };
    await client.say({ text: "again" });
    expect(signal.aborted).toBe(false);
  });
});

describe("a balanced client", () => {
  test("has all kinds of calls", async () => {
    await using talk = grpcClient(Talk, { registry, service: "talk" });
    await talk.ready();
    expect((await talk.say({ text: "hello" })).text).toBe("hello");
    expect(await collect(talk.count({ value: 3 }))).toHaveLength(3);
    expect((await talk.sum(each({ value: 1 }, { value: 2 }))).value).toBe(3);
    expect((await collect(talk.echo(each({ text: "a" })))).map(({ text }) => text)).toEqual(["a", "end"]);
  });

  test("holds the pick of a stream until the stream ends", async () => {
    await using talk = grpcClient(Talk, { registry, service: "talk", timeoutMs: 200 });
    const numbers = talk.count({ value: -2 })[Symbol.asyncIterator]();
    await numbers.next();
    await numbers.next();
    const third = numbers.next();
    await new Promise((resolve) => setTimeout(resolve, 400)); // longer than the deadline of a unary call
    const context = server.contexts.at(-1);
    expect(context?.signal.aborted).toBe(false);
    await numbers.return?.();
    await third.catch(() => {});
    await aborted(context?.signal as AbortSignal);
  });

  test("gives a stream the deadline that it is called with, to its end", async () => {
    await using talk = grpcClient(Talk, { registry, service: "talk" });
    await expect(collect(talk.count({ value: -2 }, { timeoutMs: 200 }))).rejects.toThrow();
    await aborted(server.contexts.at(-1)?.signal as AbortSignal);
  });

  test("takes a stream's failure to start from nobody reading it", async () => {
    await using talk = grpcClient(Talk, { registry, service: "nobody", timeoutMs: 50, whenEmpty: "fail" });
    talk.count({ value: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50)); // an unhandled rejection would fail the run
  });
});

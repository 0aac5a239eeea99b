/** Calls that a gRPC handler makes to answer another: whose deadline they have, and who tries again. */
import { type handleBidiStreamingCall, type handleUnaryCall, status } from "@grpc/grpc-js";
import { type CallError, detached, incomingCall, memory } from "rollcall";
import { GrpcError, grpcClient, serve } from "rollcall/grpc";
import { afterEach, describe, expect, test } from "vitest";
import { serviceDefinition } from "../../src/method-definitions.js";
import { aborted, startTalk, type TalkServer } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

type TalkHandlers = NonNullable<Parameters<typeof startTalk>[2]>;

/** A server with `handlers`, and a client of it. */
async function talk(handlers: TalkHandlers = {}, instances = 1) {
  const registry = memory();
  const servers: TalkServer[] = [];
  for (let n = 0; n < instances; n += 1) servers.push(await startTalk(registry, {}, handlers));
  const client = grpcClient(Talk, { registry, service: "talk", idempotent: true });
  open.push(...servers, client, registry);
  await client.ready();
  return { client, servers, server: servers[0] as TalkServer };
}

async function failureOf(call: Promise<unknown>): Promise<CallError> {
  return call.then(
    () => Promise.reject(new Error("the call was expected to fail")),
    (error) => error,
  );
}

describe("the deadline of a call", () => {
  test("goes with the calls that its handler makes", async () => {
    const back = await talk();
    const front = await talk({ say: async ({ text }) => back.client.say({ text }) });
    await front.client.say({ text: "hello" }, { timeoutMs: 5_000 });
    const leftMs = (back.server.contexts[0]?.deadline?.getTime() ?? 0) - Date.now();
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThan(5_000); // and not the 10 s that a call has of its own
  });

  test("goes with those that a streaming handler makes, whenever it makes them", async () => {
    const back = await talk();
    const front = await talk({
      async *echo(words) {
        for await (const { text } of words) yield await back.client.say({ text });
      },
    });
    async function* words() {
      yield { text: "one" };
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield { text: "two" };
    }
    for await (const _ of front.client.echo(words(), { timeoutMs: 5_000 }));
    const [one = 0, two = 0] = back.server.contexts.map(({ deadline }) => deadline?.getTime());
    expect(Math.abs(one - two)).toBeLessThan(50);
    expect(back.server.contexts).toHaveLength(2);
  });

  test("goes with those of a handler in the manner of grpc-js, also while it hears of requests", async () => {
    const registry = memory();
    const remainingMs: (number | undefined)[] = [];
    const look = () => remainingMs.push(incomingCall()?.remainingMs());
    const say: handleUnaryCall<object, object> = (call, reply) => {
      look();
      reply(null, call.request);
    };
    const echo: handleBidiStreamingCall<object, object> = (call) => {
      call.on("data", (request) => {
        look();
        call.write(request);
      });
      call.on("end", () => {
        look();
        call.end();
      });
    };
    const idle = () => {};
    const server = await serve({
      registry,
      service: "talk",
      listen: "127.0.0.1:0",
      spreadMs: 0,
      signals: [],
      handlers: [[serviceDefinition(Talk), { say, look: idle, count: idle, sum: idle, echo }]],
    });
    const client = grpcClient(Talk, { registry, service: "talk" });
    open.push(server, client);
    await client.say({ text: "hello" }, { timeoutMs: 5_000 });
    async function* words() {
      yield { text: "one" };
      yield { text: "two" };
    }
    for await (const _ of client.echo(words(), { timeoutMs: 5_000 }));
    expect(remainingMs.map((ms = 0) => ms > 3_000 && ms <= 5_000)).toEqual([true, true, true, true]);
  });

  test("does not go with work that the handler leaves running", async () => {
    const back = await talk();
    const front = await talk({
      say: async ({ text }) => {
        void detached(() => back.client.say({ text }, { timeoutMs: 60_000 }));
        return { text };
      },
    });
    await front.client.say({ text: "hello" }, { timeoutMs: 5_000 });
    await back.server.arrived(1);
    expect((back.server.contexts[0]?.deadline?.getTime() ?? 0) - Date.now()).toBeGreaterThan(30_000);
  });

  test("does not go with work after the end of a streaming handler whose caller had left", async () => {
    const back = await talk();
    let end = () => {};
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    let later: Promise<unknown> | undefined;
    const front = await talk({
      async *count(_, { signal }) {
        later = over.then(() => back.client.say({ text: "later" }));
        yield { value: 1 };
        await aborted(signal);
        setImmediate(end);
        yield { value: 2 };
      },
    });
    for await (const _ of front.client.count({ value: 2 })) break;
    await over;
    expect(await later).toMatchObject({ text: "later" });
  });

  test("goes with none of a client that is told so", async () => {
    const back = await talk();
    const registry = memory();
    await registry.register("talk", { address: back.server.handle.address });
    const free = grpcClient(Talk, { registry, service: "talk", inheritDeadline: false, timeoutMs: 60_000 });
    open.push(free);
    const front = await talk({ say: async ({ text }) => free.say({ text }) });
    await front.client.say({ text: "hello" }, { timeoutMs: 5_000 });
    expect((back.server.contexts[0]?.deadline?.getTime() ?? 0) - Date.now()).toBeGreaterThan(30_000);
  });
});

test("a server that passes no deadlines on runs its handlers for themselves", async () => {
  const registry = memory();
  const known: unknown[] = [];
  const say = async ({ text }: { text: string }) => {
    known.push(incomingCall());
    return { text };
  };
  for (const passDeadlineOn of [true, false]) {
    const server = await startTalk(registry, { passDeadlineOn }, { say });
    const client = grpcClient(Talk, { registry, service: "talk" });
    await client.say({ text: "hello" });
    await client.close();
    await server.handle.close();
  }
  expect(known).toEqual([expect.anything(), undefined]);
});

test("a caller who gives up cancels what its handler has called, to the end of the chain", async () => {
  const back = await talk();
  const middle = await talk({ say: async ({ text }) => back.client.say({ text }) });
  const front = await talk({ say: async ({ text }) => middle.client.say({ text }) });
  const leaving = new AbortController();
  const call = failureOf(front.client.say({ text: "wait" }, { signal: leaving.signal }));
  await back.server.arrived(1);
  leaving.abort();
  expect((await call).code).toBe("CANCELLED");
  await aborted(back.server.contexts[0]!.signal);
});

describe("a call that failed on every attempt", () => {
  const unavailable = async () => {
    throw new GrpcError("UNAVAILABLE", "down");
  };

  test("is not tried again by the callers of the handler that made it", async () => {
    const back = await talk({ say: unavailable }, 3);
    let handled = 0;
    const front = await talk(
      {
        say: async ({ text }) => {
          handled += 1;
          return back.client.say({ text }).catch((cause) => {
            throw new GrpcError("UNAVAILABLE", "the service behind is down", { cause });
          });
        },
      },
      3,
    );
    const error = await failureOf(front.client.say({ text: "hello" }));
    expect(handled).toBe(1);
    expect(error.attempts).toHaveLength(1);
    expect(error.cause).toMatchObject({ code: status.UNAVAILABLE, details: "the service behind is down" });
  });

  test("is tried again by them when it could not be repeated itself", async () => {
    let asked = 0;
    const back = await talk({
      say: async ({ text }) => {
        asked += 1;
        return asked === 1 ? unavailable() : { text };
      },
    });
    const front = await talk({
      say: async ({ text }) =>
        back.client.say({ text }, { idempotent: false }).catch((cause) => {
          throw new GrpcError("UNAVAILABLE", "the service behind is down", { cause });
        }),
    });
    expect(await front.client.say({ text: "hello" })).toMatchObject({ text: "hello" });
    expect(asked).toBe(2);
  });

  test("tells each server how many were asked before it", async () => {
    const seen: string[] = [];
    const back = await talk(
      {
        say: async (_, { metadata }) => {
          seen.push(String(metadata.get("grpc-previous-rpc-attempts")[0] ?? "none"), String(metadata.get("x-mine")[0]));
          return unavailable();
        },
      },
      3,
    );
    await failureOf(back.client.say({ text: "hello" }, { metadata: { "x-mine": "kept" } }));
    expect(seen).toEqual(["none", "kept", "1", "kept", "2", "kept"]);
  });
});

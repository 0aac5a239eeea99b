/** Servers that die, hang and come back, seen from their clients. */
import { once } from "node:events";
import { constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { status } from "@grpc/grpc-js";
import { type CallError, type Connection, firstMatch, type Instance } from "rollcall";
import { type GrpcClient, grpcClient, grpcConnect, outcomeOf } from "rollcall/grpc";
import { manualRegistry } from "rollcall/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePorts } from "../support/etcd.js";
import { Talk } from "../support/talk_pb.js";
import { startTalkProcess, type TalkProcess } from "../support/talk-process.js";

type TalkConnection = Connection<GrpcClient<typeof Talk>> & Required<Pick<Connection<unknown>, "status">>;

const at = (address: string): Instance => ({ id: address, address });
const connectTo = (address: string) => grpcConnect(Talk)(at(address)) as TalkConnection;

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new Error("the call was expected to fail");
}

const within = (ms: number) => AbortSignal.timeout(ms);

/** For the tests that leave their servers alive: a process takes its time to start. */
let servers: readonly [TalkProcess, TalkProcess, TalkProcess];
beforeAll(async () => {
  servers = await Promise.all([startTalkProcess(), startTalkProcess(), startTalkProcess()]);
});
afterAll(() => Promise.all(servers.map((server) => server.kill())));

describe("a connection", () => {
  test("opens nothing before connect(), is ready after it, and idle when closed", async () => {
    const [server] = servers;
    const connection = connectTo(server.address);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(connection.status.current).toBe("idle");
    connection.connect?.();
    await firstMatch(connection.status, (now) => now === "ready", within(10_000));
    await connection[Symbol.asyncDispose]?.();
    expect(connection.status.current).toBe("idle");
  });

  test("fails while nobody listens, and is ready soon after somebody does", async () => {
    const [port] = await freePorts(1);
    const connection = connectTo(`127.0.0.1:${port}`);
    connection.connect?.();
    await firstMatch(connection.status, (now) => now === "failing", within(10_000));
    await using _server = await startTalkProcess({ listen: `127.0.0.1:${port}` });
    await firstMatch(connection.status, (now) => now === "ready", within(15_000));
    await connection[Symbol.asyncDispose]?.();
  });
});

describe("what a server may have seen", () => {
  test("of a call to a port where nobody listens: nothing", async () => {
    const [port] = await freePorts(1);
    const connection = connectTo(`127.0.0.1:${port}`);
    const error = await failureOf(connection.client.say({ text: "hello" }));
    expect(error).toMatchObject({ code: status.UNAVAILABLE });
    expect(outcomeOf(error)).toMatchObject({ kind: "failed", reached: "never-sent", fault: "server" });
    const streamed = failureOf(connection.client.count({ value: 1 })[Symbol.asyncIterator]().next());
    expect(outcomeOf(await streamed)).toMatchObject({ reached: "never-sent" });
    await connection[Symbol.asyncDispose]?.();
  });

  test("of a call that it was working on when it died: everything", async () => {
    await using server = await startTalkProcess();
    const connection = connectTo(server.address);
    await connection.client.say({ text: "hello" });
    const failure = failureOf(connection.client.say({ text: "wait" }));
    await connection.client.say({ text: "hello" }); // on the same connection behind it: the server has both
    await server.kill();
    const error = await failure;
    expect(error).toMatchObject({ code: status.UNAVAILABLE });
    expect(outcomeOf(error)).toEqual({
      kind: "failed",
      reached: "maybe-seen",
      fault: "server",
      code: "UNAVAILABLE",
    });
    await firstMatch(connection.status, (now) => now !== "ready", within(10_000));
    expect(outcomeOf(await failureOf(connection.client.say({ text: "again" })))).toMatchObject({
      reached: "never-sent",
    });
    await connection[Symbol.asyncDispose]?.();
  });

  test.each([
    ["still listens", false],
    ["listens no more", true],
  ])("of a call that crossed its GOAWAY: nothing that it acted on, when it %s", async (_, leaves) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    let before: number | undefined;
    server.on("session", () => (before = undefined));
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      if (before === undefined) {
        before = stream.id ?? 0;
        stream.respond({ "content-type": "application/grpc", "grpc-status": status.NOT_FOUND }, { endStream: true });
      } else {
        if (leaves) server.close();
        stream.session?.goaway(constants.NGHTTP2_NO_ERROR, before);
      }
    });
    const { port } = server.address() as AddressInfo;
    const connection = connectTo(`127.0.0.1:${port}`);
    await failureOf(connection.client.say({ text: "hello" }));
    const error = await failureOf(connection.client.say({ text: "hello" }));
    const outcome = { kind: "failed", reached: "refused", fault: "server", code: "UNAVAILABLE" };
    expect(outcomeOf(error)).toEqual(outcome);
    await connection[Symbol.asyncDispose]?.();
    server.close();
  });

  test.each(["Stream refused by server", "No connection established. Last error: connect ECONNREFUSED"])(
    "of a call to a server that drains, and passes on what happened to a call of its own (%s): everything",
    async (details) => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      let isFirst = true;
      server.on("stream", (stream) => {
        stream.on("error", () => {});
        const header = { "content-type": "application/grpc" };
        if (isFirst) stream.respond({ ...header, "grpc-status": status.NOT_FOUND }, { endStream: true });
        else {
          const trailer = { "grpc-status": status.UNAVAILABLE, "grpc-message": encodeURI(details) };
          stream.on("wantTrailers", () => stream.sendTrailers(trailer));
          stream.respond(header, { waitForTrailers: true });
          stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
          setTimeout(() => stream.end(), 100);
        }
        isFirst = false;
      });
      const { port } = server.address() as AddressInfo;
      const connection = connectTo(`127.0.0.1:${port}`);
      await failureOf(connection.client.say({ text: "hello" }));
      const error = await failureOf(connection.client.say({ text: "hello" }));
      expect(error).toMatchObject({ details });
      expect(outcomeOf(error)).toMatchObject({ reached: "maybe-seen", code: "UNAVAILABLE" });
      await connection[Symbol.asyncDispose]?.();
      server.close();
    },
  );

  test("of a call that it refused while its connection lives on: everything", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    const { port } = server.address() as AddressInfo;
    const connection = connectTo(`127.0.0.1:${port}`);
    const error = await failureOf(connection.client.say({ text: "hello" }));
    expect(outcomeOf(error)).toMatchObject({ reached: "maybe-seen", code: "UNAVAILABLE" });
    await connection[Symbol.asyncDispose]?.();
    server.close();
  });

  test("of a call whose deadline passed before there was a connection: nothing", async () => {
    const [server] = servers;
    server.pause();
    const connection = connectTo(server.address);
    const error = await failureOf(connection.client.say({ text: "hello" }, { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(outcomeOf(error)).toMatchObject({ reached: "never-sent" });
    server.resume();
    await connection[Symbol.asyncDispose]?.();
  });
});

describe("a hung server", () => {
  test("is not ready once it is suspected, until it answers again; its call in flight is left alone", async () => {
    const [server] = servers;
    const connection = connectTo(server.address);
    await connection.client.say({ text: "hello" });
    server.pause();
    const answer = connection.client.say({ text: "are you there" });
    connection.suspect?.(60_000);
    expect(connection.status.current).toBe("ready"); // something came within the last minute
    await new Promise((resolve) => setTimeout(resolve, 300));
    connection.suspect?.(250);
    expect(connection.status.current).toBe("connecting");
    await new Promise((resolve) => setTimeout(resolve, 500)); // its kernel accepts connections all along
    expect(connection.status.current).not.toBe("ready");
    server.resume();
    await firstMatch(connection.status, (now) => now === "ready", within(15_000));
    expect((await answer).text).toBe("are you there");
    expect((await connection.client.say({ text: "hello" })).text).toBe("hello");
    await connection[Symbol.asyncDispose]?.();
  });
});

test("a call that may not be repeated fails with the status when its server dies", async () => {
  await using server = await startTalkProcess();
  await using spare = await startTalkProcess();
  const registry = manualRegistry();
  registry.membership("talk").live(server.address);
  await using talk = grpcClient(Talk, { registry, service: "talk" });
  await talk.ready();
  const failure = failureOf(talk.say({ text: "wait" }));
  await talk.say({ text: "hello" }); // on the same connection behind it: the server has both
  registry.membership("talk").live(server.address, spare.address);
  await server.kill();
  const error = (await failure) as CallError;
  expect(error.cause).toMatchObject({ code: status.UNAVAILABLE });
  expect(error.attempts).toHaveLength(1);
});

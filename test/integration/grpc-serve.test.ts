/** The life of a server: bound, healthy, registered; deregistered, drained, closed. */
import { once } from "node:events";
import { createServer } from "node:net";
import { status } from "@grpc/grpc-js";
import { type Connect, type Membership, memory, type NewInstance, type Registry, RollcallError } from "rollcall";
import { etcd } from "rollcall/etcd";
import { grpcClient, grpcConnect, type ServiceImplementation, serve } from "rollcall/grpc";
import { afterEach, describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../../src/adapters/grpc/proto/health_pb.js";

import { freePorts } from "../support/etcd.js";
import { aborted, startTalk } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

/** A client of one server, closed after the test. */
function clientOf<C>(connect: Connect<C>, address: string): C {
  const connection = connect({ id: address, address });
  open.push({ [Symbol.asyncDispose]: async () => connection[Symbol.asyncDispose]?.() });
  return connection.client;
}

const addresses = (membership: Membership) =>
  membership.state === "pending" ? [] : membership.instances.map(({ address }) => address);

async function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

describe("a server", () => {
  test("is registered under the port that it got, with what it says of itself", async () => {
    const registry = memory();
    const metadata = { team: "talkers" };
    await using server = await startTalk(registry, { weight: 2, zone: "a", version: "1.0", metadata });
    const instancer = registry.instancer("talk");
    expect(server.handle.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    const { address } = server.handle;
    const instances = instancer.current.state === "live" ? instancer.current.instances : [];
    expect(instances).toMatchObject([{ address, weight: 2, zone: "a", version: "1.0", metadata }]);
    expect(server.handle.registration.current.state).toBe("registered");
  });

  test("can answer before it is registered", async () => {
    const inner = memory();
    let answer: unknown;
    const registry: Registry = {
      ...inner,
      async register(service: string, instance: NewInstance) {
        answer = await clientOf(grpcConnect(Health), instance.address).check({ service: "rollcall.test.Talk" });
        return inner.register(service, instance);
      },
    };
    await using _server = await startTalk(registry);
    expect(answer).toMatchObject({ status: Serving.SERVING });
  });

  test("deregisters, lets it spread while it still answers, finishes its calls and closes", async () => {
    const registry = memory();
    const server = await startTalk(registry, { spreadMs: 1_000, drainMs: 20_000 });
    const { address } = server.handle;
    const client = clientOf(grpcConnect(Talk), address);
    const numbers = client.count({ value: -1 })[Symbol.asyncIterator]();
    await numbers.next();
    const closing = server.handle.close();
    await Promise.resolve();
    expect(server.handle.registration.current.state).not.toBe("registered");
    expect(addresses(registry.instancer("talk").current)).toEqual([]);
    expect((await client.say({ text: "still there" })).text).toBe("still there");
    let closed = false;
    void server.handle.closed.then(() => {
      closed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // longer than it spreads, shorter than it drains
    expect(closed).toBe(false);
    await numbers.return?.();
    await closing;
    await server.handle.closed;
    expect(await canListen(Number(address.split(":")[1]))).toBe(true);
  });

  test("cuts the calls that take longer than drainMs; those that may be repeated go elsewhere", async () => {
    const registry = memory();
    const server = await startTalk(registry, { drainMs: 100 });
    await using talk = grpcClient(Talk, { registry, service: "talk" });
    const abort = new AbortController();
    const once = talk.say({ text: "wait" }).catch((error: unknown) => error);
    const repeated = talk.say({ text: "wait" }, { idempotent: true, signal: abort.signal }).catch(() => {});
    await server.arrived(2);
    await using other = await startTalk(registry);
    await server.handle.close();
    await aborted(server.contexts[0]?.signal as AbortSignal);
    expect(await once).toMatchObject({ name: "CallError", attempts: [{}], cause: { code: status.UNAVAILABLE } });
    await other.arrived(1);
    abort.abort();
    await repeated;
  });

  test("closes once, however often it is told to", async () => {
    const server = await startTalk(memory());
    await Promise.all([server.handle.close(), server.handle.close(), server.handle[Symbol.asyncDispose]()]);
    await server.handle.closed;
  });

  test("leaves the registry open and the signals alone when it has closed", async () => {
    const registry = memory();
    const before = process.listenerCount("SIGTERM");
    const server = await startTalk(registry, { signals: ["SIGTERM"] });
    expect(process.listenerCount("SIGTERM")).toBe(before + 1);
    await server.handle.close();
    expect(process.listenerCount("SIGTERM")).toBe(before);
    await (await startTalk(registry)).handle.close();
  });
});

describe("a server that cannot start", () => {
  test("because the port is taken says so, and nothing is registered", async () => {
    const registry = memory();
    await using first = await startTalk(registry);
    const second = startTalk(registry, { listen: first.handle.address });
    await expect(second).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: /cannot listen on 127\.0\.0\.1:\d+/,
    });
    await expect(second).rejects.toBeInstanceOf(RollcallError);
    expect(addresses(registry.instancer("talk").current)).toEqual([first.handle.address]);
  });

  test("because the registry refuses gives the port back", async () => {
    const registry: Registry = {
      ...memory(),
      register: async () => {
        throw new RollcallError("REGISTRY_UNAVAILABLE", "nobody there");
      },
    };
    const [port = 0] = await freePorts(1);
    await expect(startTalk(registry, { listen: `127.0.0.1:${port}` })).rejects.toMatchObject({
      code: "REGISTRY_UNAVAILABLE",
    });
    expect(await canListen(port)).toBe(true);
  });

  test("because the way to the registry is not found in time gives the port back", async () => {
    const registry: Registry = {
      ...memory(),
      localAddress: async ({ timeoutMs = 60_000 } = {}) => {
        await new Promise((resolve) => setTimeout(resolve, timeoutMs));
        throw new RollcallError("REGISTRY_UNAVAILABLE", "nobody there");
      },
    };
    const [port = 0] = await freePorts(1);
    const options = { listen: `0.0.0.0:${port}`, startTimeoutMs: 100 };
    await expect(startTalk(registry, options)).rejects.toMatchObject({ code: "REGISTRY_UNAVAILABLE" });
    expect(await canListen(port)).toBe(true);
  });

  test.each([
    ["all addresses", "0.0.0.0:0"],
    ["one of its own", "127.0.0.1:0"],
  ])(
    "because etcd is down, listening on %s, tries for startTimeoutMs and says what each member said",
    async (_, listen) => {
      const [down] = await freePorts(1);
      await using registry = etcd({ endpoints: [`127.0.0.1:${down}`], timeoutMs: 200, logger: false });
      const startedMs = performance.now();
      await expect(startTalk(registry, { listen, startTimeoutMs: 1_500 })).rejects.toMatchObject({
        code: "REGISTRY_UNAVAILABLE",
        message: expect.stringMatching(`within 1500 ms: 127.0.0.1:${down}: connect ECONNREFUSED`),
      });
      expect(performance.now() - startedMs).toBeGreaterThan(1_400);
    },
  );

  test("because an option is misspelt names it", async () => {
    const misspelt = { drainMS: 5 } as object;
    await expect(startTalk(memory(), misspelt)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/serve\(\) has no option `drainMS`; it has .*drainMs/),
    });
  });

  test("because a handler is misspelt or missing names both, and is not registered", async () => {
    const registry = memory();
    const misspelt = { lok: async () => ({ text: "" }), look: undefined } as object;
    await expect(startTalk(registry, {}, misspelt)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(
        /rollcall\.test\.Talk has no handler `look` and an unknown `lok`.*say, look, count, sum, echo/,
      ),
    });
    expect(addresses(registry.instancer("talk").current)).toEqual([]);
  });

  test("because others could not reach it gives the port back", async () => {
    const registry: Registry = { ...memory(), localAddress: async () => "10.0.0.1" };
    const [port = 0] = await freePorts(1);
    await expect(startTalk(registry, { listen: `127.0.0.1:${port}` })).rejects.toThrow("works on this machine only");
    await expect(startTalk(registry, { listen: `0.0.0.0:${port}`, advertise: `0.0.0.0:${port}` })).rejects.toThrow(
      "nobody can connect",
    );
    expect(await canListen(port)).toBe(true);
  });

  test.each([
    ["192.0.2.1:0", "this machine has no such address"],
    ["no-such-host.invalid:0", "the host's name is not known"],
  ])("because nobody could listen on %s does not call it in use", async (listen, remedy) => {
    await expect(startTalk(memory(), { listen })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(remedy),
    });
  });

  test("because a signal came while it looked for the registry gives the port and the signals back", async () => {
    const registry: Registry = {
      ...memory(),
      localAddress: ({ signal } = {}) =>
        new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
          process.emit("SIGUSR2", "SIGUSR2");
        }),
    };
    const before = process.listenerCount("SIGUSR2");
    const [port = 0] = await freePorts(1);
    await expect(startTalk(registry, { listen: `0.0.0.0:${port}`, signals: ["SIGUSR2"] })).rejects.toMatchObject({
      code: "CANCELLED",
      message: expect.stringContaining("stopped by SIGUSR2"),
    });
    expect(await canListen(port)).toBe(true);
    expect(process.listenerCount("SIGUSR2")).toBe(before);
  });

  test("because the registry was closed meanwhile gives the port back", async () => {
    const [etcdPort, port = 0] = await freePorts(2);
    const registry = etcd({ endpoints: [`127.0.0.1:${etcdPort}`], logger: false });
    const starting = startTalk(registry, { listen: `127.0.0.1:${port}` });
    setTimeout(() => void registry.close(), 100);
    await expect(starting).rejects.toBeInstanceOf(RollcallError);
    expect(await canListen(port)).toBe(true);
  });
});

test("a signal that comes when it is as good as registered drains it", async () => {
  const inner = memory();
  const registry: Registry = {
    ...inner,
    async register(service, instance) {
      const registration = await inner.register(service, instance);
      process.emit("SIGUSR2", "SIGUSR2");
      return registration;
    },
  };
  const server = await startTalk(registry, { signals: ["SIGUSR2"] });
  await server.handle.closed;
  expect(addresses(inner.instancer("talk").current)).toEqual([]);
});

test("a registry that cannot deregister does not keep a server open, nor end the process", async () => {
  const inner = memory();
  const registry: Registry = {
    ...inner,
    async register(service, instance) {
      const registration = await inner.register(service, instance);
      registration.close = async () => {
        throw new Error("out of order");
      };
      return registration;
    },
  };
  const warned = once(process, "warning");
  const server = await startTalk(registry, { signals: ["SIGUSR2"] });
  process.emit("SIGUSR2", "SIGUSR2");
  await server.handle.closed; // an unhandled rejection would fail the run
  expect(await canListen(Number(server.handle.address.split(":")[1]))).toBe(true);
  expect(await warned).toMatchObject([{ message: "out of order" }]);
});

describe("health", () => {
  test("is known for the server and its services, and for nothing else", async () => {
    await using server = await startTalk(memory());
    const health = clientOf(grpcConnect(Health), server.handle.address);
    for (const service of ["", "rollcall.test.Talk"]) {
      expect(await health.check({ service })).toMatchObject({ status: Serving.SERVING });
    }
    await expect(health.check({ service: "other" })).rejects.toMatchObject({ code: 5 });
    const watch = health.watch({ service: "other" })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ status: Serving.SERVICE_UNKNOWN });
    await watch.return?.();
  });

  test("can be watched, says when the server drains, and does not hold it up", async () => {
    await using server = await startTalk(memory(), { spreadMs: 100, drainMs: 30_000 });
    const health = clientOf(grpcConnect(Health), server.handle.address);
    const seen: Serving[] = [];
    const watching = (async () => {
      for await (const { status } of health.watch({})) seen.push(status);
    })();
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const startedMs = performance.now();
    await server.handle.close();
    await watching;
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING]);
  });
});

test("handlers may be the methods of a class, which has others of its own", async () => {
  class Talker implements ServiceImplementation<typeof Talk> {
    say({ text }: { text: string }) {
      return this.loud(text);
    }
    look({ text }: { text: string }) {
      return this.loud(text);
    }
    async *count() {}
    async sum() {
      return {};
    }
    async *echo() {}
    loud(text: string) {
      return { text: text.toUpperCase() };
    }
  }
  await using server = await serve({
    registry: memory(),
    service: "talk",
    listen: "127.0.0.1:0",
    spreadMs: 0,
    signals: [],
    handlers: [[Talk, new Talker()]],
  });
  expect((await clientOf(grpcConnect(Talk), server.address).say({ text: "hello" })).text).toBe("HELLO");
});

test("several services share a server, grpc-js's own among them", async () => {
  const registry = memory();
  const echo = {
    shout: {
      path: "/loud.Echo/Shout",
      requestStream: false,
      responseStream: false,
      requestSerialize: (text: string) => Buffer.from(text),
      requestDeserialize: (bytes: Buffer) => bytes.toString(),
      responseSerialize: (text: string) => Buffer.from(text),
      responseDeserialize: (bytes: Buffer) => bytes.toString(),
    },
  } as const;
  await using server = await serve({
    registry,
    service: "both",
    listen: "127.0.0.1:0",
    spreadMs: 0,
    signals: [],
    handlers: [
      [
        Talk,
        {
          say: ({ text }) => ({ text }),
          look: ({ text }) => ({ text }),
          async *count() {},
          sum: async () => ({}),
          async *echo() {},
        },
      ],
      [
        echo,
        {
          shout: (call: { request: string }, reply: (error: null, text: string) => void) =>
            reply(null, call.request.toUpperCase()),
        },
      ],
    ],
  });
  expect(await clientOf(grpcConnect(echo), server.address).shout("hello")).toBe("HELLO");
  expect((await clientOf(grpcConnect(Talk), server.address).say({ text: "hello" })).text).toBe("hello");
  const health = clientOf(grpcConnect(Health), server.address);
  expect(await health.check({ service: "loud.Echo" })).toMatchObject({ status: Serving.SERVING });
});

/** Clients that connect to some of the servers only, while servers fail, come and go. Each server is behind a network of its own. */
import {
  aperture,
  memory,
  peersIn,
  type Registration,
  type Registry,
  randomSubset,
  type Subset,
  weightedRoundRobin,
} from "rollcall";
import { grpcClient } from "rollcall/grpc";
import { expect, test } from "vitest";
import { startTalk } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.js";

const SERVICE = "talk";

interface Server extends AsyncDisposable {
  readonly network: TcpProxy;
  readonly calls: number;
  /** As registered now. */
  registration: Registration;
}

async function startServer(registry: Registry): Promise<Server> {
  const talk = await startTalk(memory());
  const network = await startTcpProxy(talk.handle.address);
  return {
    network,
    get calls() {
      return talk.contexts.length;
    },
    registration: await registry.register(SERVICE, { address: network.endpoint }),
    async [Symbol.asyncDispose]() {
      await network.stop();
      await talk[Symbol.asyncDispose]();
    },
  };
}

async function withServers(count: number, body: (servers: readonly Server[], registry: Registry) => Promise<void>) {
  await using registry = memory();
  const servers = await Promise.all(Array.from({ length: count }, () => startServer(registry)));
  try {
    await body(servers, registry);
  } finally {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

function talkTo(registry: Registry, subset: Subset) {
  return grpcClient(Talk, {
    registry,
    service: SERVICE,
    subset,
    strategy: weightedRoundRobin(),
    idempotent: true,
    logger: false,
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test("when all servers of a subset fail at once, others take their place, no call fails, and they come back", async () => {
  await withServers(5, async (servers, registry) => {
    await using talk = talkTo(registry, randomSubset({ size: 2 }));
    const { availability } = talk.endpoints;
    await until(() => availability.current.ready === 2);
    const connected = () => servers.filter(({ network }) => network.open > 0);
    const first = connected();
    expect(first).toHaveLength(2);

    const calls = Array.from({ length: 5 }, async () => {
      for (let n = 0; n < 25; n += 1) expect((await talk.say({ text: "hello" })).text).toBe("hello");
    });
    for (const { network } of first) await network.set("refuse"); // they stay registered
    await Promise.all(calls);
    await until(() => availability.current.ready === 2);
    const second = connected();
    expect(second).toHaveLength(2);
    expect(second.filter((server) => first.includes(server))).toEqual([]);
    expect(availability.current.total).toBe(4);

    for (const { network } of first) await network.set("pass");
    await until(() => availability.current.total === 2 && availability.current.ready === 2);
    await until(() => connected().length === 2);
    expect(connected()).toEqual(first);
  });
});

test("servers that stay keep their one connection while others come and go", async () => {
  await withServers(8, async (servers, registry) => {
    await using talk = talkTo(registry, randomSubset({ size: 4, seed: 1 }));
    await until(() => talk.endpoints.availability.current.ready === 4);
    const chosen = servers.filter(({ network }) => network.open > 0);
    const [goer, ...stayers] = chosen as [Server, ...Server[]];
    const others = servers.filter((server) => !chosen.includes(server));
    for (const server of [...others, goer, ...others, goer]) {
      await server.registration[Symbol.asyncDispose]();
      expect(talk.endpoints.availability.current.total).toBe(4);
      expect((await talk.say({ text: "hello" })).text).toBe("hello");
      server.registration = await registry.register(SERVICE, { address: server.network.endpoint });
      expect((await talk.say({ text: "hello" })).text).toBe("hello");
    }
    await until(() => talk.endpoints.availability.current.ready === 4);
    expect(stayers.map(({ network }) => network.accepted)).toEqual([1, 1, 1]);
    expect(stayers.map(({ network }) => network.open)).toEqual([1, 1, 1]);
  });
});

test("three clients of an aperture divide the servers, and again when one of them leaves", async () => {
  await withServers(6, async (servers, registry) => {
    await using shop = registry.instancer("shop");
    const owns = await Promise.all(
      [1, 2, 3].map((port) => registry.register("shop", { address: `127.0.0.1:${port}` })),
    );
    const clients = owns.map(({ instance }) =>
      talkTo(registry, aperture({ peers: peersIn(shop, instance.id), size: 2 })),
    );
    const open = () => servers.map(({ network }) => network.open);
    const share = async (callers: typeof clients) => {
      const before = servers.map(({ calls }) => calls);
      for (const talk of callers) for (let n = 0; n < 12; n += 1) await talk.say({ text: "hello" });
      return servers.map(({ calls }, n) => calls - before[n]!);
    };
    try {
      await until(() => clients.every(({ endpoints }) => endpoints.availability.current.ready === 2));
      expect(open()).toEqual([1, 1, 1, 1, 1, 1]);
      expect(await share(clients)).toEqual([6, 6, 6, 6, 6, 6]);
      await clients[2]!.close();
      await owns[2]![Symbol.asyncDispose]();
      const left = clients.slice(0, 2);
      await until(() => left.every(({ endpoints }) => endpoints.availability.current.ready === 3));
      expect(await share(left)).toEqual([4, 4, 4, 4, 4, 4]);
      await until(() => open().every((connections) => connections === 1));
    } finally {
      await Promise.all(clients.map((talk) => talk.close()));
    }
  });
});

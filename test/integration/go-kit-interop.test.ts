import { roundRobin } from "rollcall";
import { startEmbedded } from "rollcall/embedded";
import { etcd } from "rollcall/etcd";
import { grpcClient, serve } from "rollcall/grpc";
import { beforeAll, describe, expect, it } from "vitest";
import { Test } from "../../examples/book/book_pb.js";
import { startEtcd } from "../support/etcd.js";
import { buildGoKit, type GoKit, goMissing } from "../support/go-kit.js";

const GREETING = "hello Allen you are 21 old?";
// The first build fetches and compiles grpc-go and etcd's client.
const BUILD_MS = 300_000;

describe.skipIf(goMissing)(goMissing ? `go-kit (not here: ${goMissing})` : "go-kit", () => {
  let goKit: GoKit;
  beforeAll(async () => {
    goKit = await buildGoKit();
  }, BUILD_MS);

  it.each([
    ["the embedded registry", () => startEmbedded()],
    ["etcd", () => startEtcd()],
  ])("registers its servers in %s, and finds and balances them there", async (_, start) => {
    await using registry = await start();
    await using first = await goKit.startServer(registry.endpoint);
    await using second = await goKit.startServer(registry.endpoint);
    const addresses = [first.address, second.address];

    const replies = await goKit.callFromClient(registry.endpoint, { servers: 2, calls: 8 });
    expect(replies.map((reply) => reply.text)).toEqual(Array(8).fill(GREETING));
    for (const address of addresses) {
      expect(replies.filter((reply) => reply.address === address)).toHaveLength(4);
    }

    await second.stop();
    const alone = await goKit.callFromClient(registry.endpoint, { servers: 1, calls: 2 });
    expect(alone.map((reply) => reply.address)).toEqual([first.address, first.address]);
  });

  it("shares one etcd with us: either client calls either server, and sees it leave", async () => {
    await using member = await startEtcd();
    await using registry = etcd({ endpoints: [member.endpoint] });
    await using theirs = await goKit.startServer(member.endpoint);
    const ours = await serve({
      registry,
      service: "book",
      listen: "127.0.0.1:0",
      handlers: [[Test, { test: ({ a, b }) => ({ v: `hello ${a} you are ${b} old?` }) }]],
    });
    const both = [theirs.address, ours.address].sort();

    const toGo = await goKit.callFromClient(member.endpoint, { servers: 2, calls: 8 });
    expect(toGo.map((reply) => reply.text)).toEqual(Array(8).fill(GREETING));
    expect([...new Set(toGo.map((reply) => reply.address))].sort()).toEqual(both);

    await using book = grpcClient(Test, { registry, service: "book", strategy: roundRobin() });
    const reached: string[] = [];
    for (let number = 0; number < 8; number += 1) {
      const reply = await book.call((client, { instance }) => {
        reached.push(instance.address);
        return client.test({ a: "Allen", b: 21n });
      });
      expect(reply.v).toBe(GREETING);
    }
    expect([...new Set(reached)].sort()).toEqual(both);

    await ours.close();
    const after = await goKit.callFromClient(member.endpoint, { servers: 1, calls: 2 });
    expect(after.map((reply) => reply.address)).toEqual([theirs.address, theirs.address]);
  });
});

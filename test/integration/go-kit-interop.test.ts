import { startEmbedded } from "rollcall/embedded";
import { beforeAll, describe, expect, it } from "vitest";
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
});

/** What the proof that open streams are not deaf costs etcd. */
import { expect, it } from "vitest";
import { scriptedEtcdClient } from "../../../../test/support/scripted-etcd-client.js";
import { seededRandom } from "../../../random.js";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { goKitLayout } from "../../layouts/go-kit.js";
import { massDeletionRule } from "../../mass-deletion.js";
import { KV, Watch } from "../proto/etcd_pb.js";
import { etcdInstancers } from "./instancers.js";

const SERVICES = 20;
const header = { clusterId: 7n, memberId: 1n, raftTerm: 2n, revision: 10n };

async function watchingAll(seed: number) {
  const random = seededRandom(seed);
  const clock = virtualClock();
  const client = scriptedEtcdClient();
  const logger = { warn: () => {}, info: () => {} };
  const environment = { layout: goKitLayout(), massDeletion: massDeletionRule(), snapshots: undefined };
  const instancers = etcdInstancers({ client, clock, random, logger, ...environment });
  for (let n = 0; n < SERVICES; n += 1) {
    instancers.open(`service-${n}`);
    await client.nextCall(KV.method.range).answer({ header });
    client.nextStream(Watch.method.watch).message({ header, created: true });
    await clock.advance(random() * 10);
  }
  return { clock, client };
}

it.each([1, 2, 3])(
  "in a registry at rest it is one read in 5 s, whatever the number of services (seed %i)",
  async (seed) => {
    const { clock, client } = await watchingAll(seed);
    let reads = 0;
    for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 100) {
      await clock.advance(100);
      for (; client.waitingCalls(KV.method.range) > 0; reads += 1)
        await client.nextCall(KV.method.range).answer({ header });
    }
    expect(reads).toBe(12);
  },
);

it("there is one read under way at a time while etcd takes seconds for it", async () => {
  const { clock, client } = await watchingAll(4);
  for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 4_000) {
    await clock.advance(4_000);
    expect(client.waitingCalls(KV.method.range)).toBeLessThanOrEqual(1);
    if (client.waitingCalls(KV.method.range) > 0) await client.nextCall(KV.method.range).answer({ header });
  }
});

it("two processes that began together ask at different moments", async () => {
  const moments = await Promise.all(
    [5, 6].map(async (seed) => {
      const { clock, client } = await watchingAll(seed);
      while (client.waitingCalls(KV.method.range) === 0) await clock.advance(10);
      return clock.nowMs();
    }),
  );
  expect(Math.abs((moments[0] ?? 0) - (moments[1] ?? 0))).toBeGreaterThan(100);
});

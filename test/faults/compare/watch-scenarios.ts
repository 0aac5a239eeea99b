/** The rows about who sees whom. In each, one client of the subject watches first. */
import { setTimeout as sleep } from "node:timers/promises";
import { etcdClient } from "../../../src/registry/etcd/client/client.js";
import { keyBytes } from "../../../src/registry/etcd/client/key-range.js";
import { KV } from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { EtcdCluster } from "../../support/etcd.js";
import type { Participant } from "../lab/participant.js";
import { addresses, isStale, put, stays, until } from "./observations.js";
import type { Scenario, Trial } from "./trial.js";

const a = "127.0.0.1:50051";
const b = "127.0.0.1:50052";
const same = (client: Participant, ...expected: readonly string[]) =>
  addresses(client).join() === [...expected].sort().join();

/** Behind a network of its own, with one instance in view. */
async function watching({ lab, cluster, participant }: Trial) {
  const network = await lab.network();
  await put(cluster, a);
  const client = await participant({ endpoints: network.endpoints });
  await client.watch();
  await until(() => same(client, a), "the first view did not come");
  return { network, client };
}

/** Many puts in little time, which etcdctl cannot do. */
async function putMany(cluster: EtcdCluster, keys: number, puts: number, valueBytes = 0): Promise<void> {
  await using client = etcdClient({ endpoints: cluster.endpoints, logger: false });
  for (let next = 0; next < puts; next += 100) {
    await Promise.all(
      Array.from({ length: Math.min(100, puts - next) }, (_, index) => {
        const at = `10.0.0.1:${1 + ((next + index) % keys)}`;
        const value = Buffer.from(
          valueBytes === 0 ? at : JSON.stringify({ Op: 0, Addr: at, Metadata: { fill: "x".repeat(valueBytes) } }),
        );
        return client.unary(KV.method.put, { key: keyBytes(`/services/book/${at}`), value });
      }),
    );
  }
}

export const watchScenarios: readonly Scenario[] = [
  {
    row: 2,
    fault: "the connection is cut again and again while 2,500 events are caught up with",
    must: "no event is lost: the view is right within 15 s",
    withinMs: 15_000,
    async run(trial) {
      const { network, client } = await watching(trial);
      await network.set("refuse");
      await putMany(trial.cluster, 2_500, 2_500);
      await network.set({ bytesPerSecond: 400_000 });
      for (let cuts = 0; cuts < 5; cuts += 1) {
        const before = addresses(client).length;
        await until(() => addresses(client).length !== before, "nothing was caught up with", 10_000).catch(() => {});
        network.cut();
      }
      await network.set("pass");
      await put(trial.cluster, b);
      // Events come in order: once the last is seen, what is missing is lost.
      const tookMs = await until(() => addresses(client).includes(b), "the last event was not seen");
      const seen = addresses(client).length;
      if (seen < 2_502) throw new Error(`the last event is seen, and ${2_502 - seen} of 2,502 instances are missing`);
      return tookMs;
    },
  },
  {
    row: 3,
    fault: "the history that a disconnected client has missed is compacted",
    must: "the view is right within 15 s of the network's return",
    withinMs: 15_000,
    async run(trial) {
      const { network, client } = await watching(trial);
      await network.set("refuse");
      await put(trial.cluster, b);
      await trial.cluster.etcdctl("del", `/services/book/${a}`);
      const fields = await trial.cluster.etcdctl("get", "x", "-w", "fields");
      await trial.cluster.etcdctl("compact", /"Revision" : (\d+)/.exec(fields)?.[1] ?? "");
      await network.set("pass");
      return until(() => same(client, b), `the view was still ${addresses(client)}`);
    },
  },
  {
    row: 4,
    fault: "the member loses its cluster, and the connection to it stays",
    must: "the client knows that it is not up to date within 15 s",
    withinMs: 15_000,
    options: { size: 3 },
    async run({ cluster, participant }) {
      await put(cluster, a);
      const client = await participant({ endpoints: cluster.endpoints.slice(0, 1) });
      await client.watch();
      await until(() => same(client, a), "the first view did not come");
      for (const member of cluster.members.slice(1)) member.pause();
      return until(() => isStale(client), "the view was still called live");
    },
  },
  {
    row: 5,
    fault: "each of three members hangs in turn, for 10 s",
    must: "a change is seen within 6 s",
    withinMs: 6_000,
    options: { size: 3 },
    async run(trial) {
      const { network, client } = await watching(trial);
      let longestMs = 0;
      for (const [index, proxy] of network.proxies.entries()) {
        await proxy.set("black-hole");
        await put(trial.cluster, `127.0.0.2:${index + 1}`);
        const tookMs = await until(() => addresses(client).length === index + 2, "the change was not seen");
        longestMs = Math.max(longestMs, tookMs);
        await proxy.set("pass");
      }
      return longestMs;
    },
  },
  {
    row: 15,
    fault: "the cluster is wiped and started anew",
    must: "the view is the new cluster's within 15 s",
    withinMs: 15_000,
    async run(trial) {
      const { client } = await watching(trial);
      await trial.cluster.members[0]?.restart({ wipe: true });
      await put(trial.cluster, b);
      return until(() => same(client, b), `the view was still ${addresses(client)}`);
    },
  },
  {
    row: 18,
    fault: "etcd is down for 15 s",
    must: "the view is kept",
    async run(trial) {
      const { client } = await watching(trial);
      await trial.cluster.members[0]?.kill();
      await stays(() => same(client, a), 15_000, "the view was gone");
      return undefined;
    },
  },
  {
    row: 24,
    fault: "10,000 instances of 1 kB, more than a gRPC message of 4 MiB",
    must: "the first view comes within 15 s",
    withinMs: 15_000,
    async run({ cluster, participant }) {
      await putMany(cluster, 10_000, 10_000, 1_000);
      const client = await participant();
      await client.watch();
      return until(() => addresses(client).length === 10_000, "the view did not come");
    },
  },
  {
    row: 26,
    fault: "the client was quiet for longer than its token lives, and then reconnects",
    must: "a change is seen within 15 s",
    withinMs: 15_000,
    options: { args: ["--auth-token-ttl", "3"] },
    async run({ lab, cluster, participant }) {
      const login = { user: "root", password: "secret" };
      await cluster.etcdctl("role", "add", "root");
      await cluster.etcdctl("user", "add", "root:secret");
      await cluster.etcdctl("user", "grant-role", "root", "root");
      await put(cluster, a);
      await cluster.etcdctl("auth", "enable");
      const network = await lab.network();
      const client = await participant({ endpoints: network.endpoints, ...login });
      await client.watch();
      await until(() => same(client, a), "the first view did not come");
      await sleep(10_000);
      network.cut();
      await cluster.etcdctl("--user", "root:secret", "put", `/services/book/${b}`, b);
      return until(() => same(client, a, b), "the change was not seen");
    },
  },
  {
    row: 38,
    fault: "three members are restarted one by one while instances come",
    must: "every change is seen within 6 s, and no view is empty",
    withinMs: 6_000,
    options: { size: 3 },
    async run(trial) {
      const { client } = await watching(trial);
      let longestMs = 0;
      for (const [index, member] of trial.cluster.members.entries()) {
        await member.restart();
        await put(trial.cluster, `127.0.0.2:${index + 1}`);
        const tookMs = await until(() => addresses(client).length === index + 2, "the change was not seen");
        longestMs = Math.max(longestMs, tookMs);
      }
      const firstKnown = client.views.findIndex(({ view }) => view.state !== "pending" && view.instances.length > 0);
      if (client.views.slice(firstKnown).some(({ view }) => view.state !== "pending" && view.instances.length === 0)) {
        throw new Error("a view was empty");
      }
      return longestMs;
    },
  },
];

/** The rows about who is registered. In each, one server of the subject registers first. */
import { setTimeout as sleep } from "node:timers/promises";
import { leases } from "../lab/key-history.js";
import { TTL_MS } from "../lab/laboratory.js";
import { address, isThere, key, leaseOf, stays, until } from "./observations.js";
import type { Scenario, Trial } from "./trial.js";

const THREE_TTLS_MS = 3 * TTL_MS;

async function registered({ participant, cluster }: Trial) {
  const server = await participant();
  await server.register({ address });
  await until(() => isThere(cluster), "not registered");
  return server;
}

export const registrationScenarios: readonly Scenario[] = [
  {
    row: 5,
    fault: "each of three members hangs in turn, for 10 s",
    must: "the key is never absent",
    options: { size: 3 },
    async run({ lab, cluster, participant }) {
      const network = await lab.network();
      await (await participant({ endpoints: network.endpoints })).register({ address });
      for (const proxy of network.proxies) {
        await proxy.set("black-hole");
        await stays(() => isThere(cluster), 2 * TTL_MS, "the key was gone");
        await proxy.set("pass");
      }
      return undefined;
    },
  },
  {
    row: 6,
    fault: "the process is stopped for three TTLs",
    must: "the key is back within 2 s of its waking",
    withinMs: 2_000,
    async run(trial) {
      const server = await registered(trial);
      server.pause();
      await sleep(THREE_TTLS_MS);
      server.resume();
      return until(() => isThere(trial.cluster), "the key was not back");
    },
  },
  {
    row: 7,
    fault: "etcd is down for three TTLs",
    must: "the key is there, to stay, within a TTL of etcd's return",
    withinMs: TTL_MS,
    async run(trial) {
      await registered(trial);
      const [member] = trial.cluster.members;
      await member?.kill();
      await sleep(THREE_TTLS_MS);
      await member?.restart();
      let absentMs = 0;
      const startedMs = performance.now();
      while (performance.now() - startedMs < THREE_TTLS_MS) {
        if (!(await isThere(trial.cluster))) absentMs = performance.now() - startedMs;
        await sleep(50);
      }
      if (absentMs > THREE_TTLS_MS - 1_000) throw new Error("the key was not there after 15 s");
      return absentMs;
    },
  },
  {
    row: 8,
    fault: "an operator deletes the key",
    must: "it is back within 2 s",
    withinMs: 2_000,
    async run(trial) {
      await registered(trial);
      await trial.cluster.etcdctl("del", key);
      return until(() => isThere(trial.cluster), "the key was not back");
    },
  },
  {
    row: 8,
    fault: "an operator revokes the lease",
    must: "the key is back within 2 s",
    withinMs: 2_000,
    async run(trial) {
      await registered(trial);
      await trial.cluster.etcdctl("lease", "revoke", (await leaseOf(trial.cluster)) ?? "");
      return until(() => isThere(trial.cluster), "the key was not back");
    },
  },
  {
    row: 9,
    fault: "another server has taken the key over; then the first deregisters",
    must: "the other's key stays",
    async run(trial) {
      const first = await registered(trial);
      const second = await trial.participant();
      await second.register({ address });
      await first.close();
      await stays(() => isThere(trial.cluster), 2 * TTL_MS, "the other's key was gone");
      return undefined;
    },
  },
  {
    row: 11,
    fault: "a plain put strips the lease; then the server dies",
    must: "the key is gone within two TTLs",
    withinMs: 2 * TTL_MS,
    async run(trial) {
      const server = await registered(trial);
      await trial.cluster.etcdctl("put", key, address);
      await sleep(TTL_MS);
      await server.kill();
      return until(async () => !(await isThere(trial.cluster)), "the dead server's key was still there");
    },
  },
  {
    row: 12,
    fault: "the answers to a registration are lost for 8 s",
    must: "it is registered with one lease, and none is left over, within 15 s",
    withinMs: 15_000,
    async run({ lab, cluster, participant }) {
      const network = await lab.network();
      const server = await participant({ endpoints: network.endpoints });
      await network.set("drop-responses");
      const registering = server.register({ address });
      await sleep(8_000);
      await network.set("pass");
      const tookMs = await until(
        async () => (await isThere(cluster)) && (await leases(cluster)).length === 1,
        `with ${(await leases(cluster)).length} leases soon after, it was not registered with one`,
      );
      await registering;
      return tookMs;
    },
  },
  {
    row: 15,
    fault: "the cluster is wiped and started anew",
    must: "the key is there within 15 s of its return",
    withinMs: 15_000,
    async run(trial) {
      await registered(trial);
      await trial.cluster.members[0]?.restart({ wipe: true });
      return until(() => isThere(trial.cluster), "the key was not back");
    },
  },
  {
    row: 17,
    fault: "two of three members are dead for three TTLs",
    must: "the key is never absent once etcd answers",
    options: { size: 3 },
    async run(trial) {
      await registered(trial);
      const lost = trial.cluster.members.slice(1);
      await Promise.all(lost.map((member) => member.kill()));
      await sleep(THREE_TTLS_MS);
      await Promise.all(lost.map((member) => member.restart()));
      await stays(() => isThere(trial.cluster), 2 * TTL_MS, "the key was gone");
      return undefined;
    },
  },
  {
    row: 35,
    fault: "the event loop is blocked for two TTLs",
    must: "the key is back within 2 s",
    withinMs: 2_000,
    async run(trial) {
      const server = await registered(trial);
      await server.block(2 * TTL_MS);
      return until(() => isThere(trial.cluster), "the key was not back");
    },
  },
  {
    row: 36,
    fault: "etcd is out of space (NOSPACE alarm)",
    must: "the old lease is kept alive: the key is never absent for three TTLs",
    options: { args: ["--quota-backend-bytes", String(256 * 1024)] },
    async run(trial) {
      await registered(trial);
      const big = "x".repeat(64 * 1024);
      await until(
        () =>
          trial.cluster.etcdctl("put", `/filler/${performance.now()}`, big).then(
            () => false,
            (error: unknown) => String(error).includes("database space exceeded"),
          ),
        "the quota was not reached",
      );
      await stays(() => isThere(trial.cluster), THREE_TTLS_MS, "the key was gone");
      return undefined;
    },
  },
  {
    row: 38,
    fault: "three members are restarted one by one",
    must: "the key is never absent",
    options: { size: 3 },
    async run(trial) {
      await registered(trial);
      for (const member of trial.cluster.members) {
        await member.restart();
        await stays(() => isThere(trial.cluster), TTL_MS, "the key was gone");
      }
      await stays(() => isThere(trial.cluster), TTL_MS, "the key was gone");
      return undefined;
    },
  },
  {
    row: 39,
    fault: "the server dies",
    must: "the key is gone within two TTLs",
    withinMs: 2 * TTL_MS,
    async run(trial) {
      const server = await registered(trial);
      await server.kill();
      return until(async () => !(await isThere(trial.cluster)), "the dead server's key was still there");
    },
  },
];

/**
 * What 200 real clients ask of an etcd that is down, and of one that is back, by the proxy before it and by its own counters.
 * That they do not ask at the same moment is shown in ../herd.test.ts, where a busy machine cannot bunch them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startCrowd } from "../lab/crowd.js";
import { leases } from "../lab/key-history.js";
import { startLaboratory } from "../lab/laboratory.js";
import { trafficOf } from "../lab/traffic.js";

const CLIENTS = 200;
const OUTAGE_MS = 10_000;
const TTL_MS = 60_000;
/** A lease is renewed every third of its TTL, and with a new leader replaced within a sixth after that. */
const MOVED_WITHIN_MS = TTL_MS / 2;

test("22: an etcd that 200 clients wait for is asked no more than they need, down, back, and rebuilt", async () => {
  await using lab = await startLaboratory({ size: 1 });
  const network = await lab.network();
  const [member] = lab.cluster.members;
  const [proxy] = network.proxies;
  if (!member || !proxy) throw new Error("a laboratory of one has a member and a proxy");
  // Leases that outlive the outage: how fast a busy machine lets 200 clients renew is not the question.
  const crowd = lab.owns(startCrowd({ endpoints: network.endpoints, ttlMs: TTL_MS, size: CLIENTS }));
  await crowd.allWell(90_000);

  /** What arrived after an outage until all were well again. */
  const outage = async (wipe: boolean) => {
    await member.kill();
    const [fromMs, before] = [performance.now(), proxy.accepted];
    await sleep(OUTAGE_MS);
    expect(crowd.now.live).toBe(0);
    const dialsPerSecond = (1_000 * (proxy.accepted - before)) / (performance.now() - fromMs);
    await member.restart({ wipe });
    await crowd.allWell(90_000);
    return { dialsPerSecond, traffic: await trafficOf(member.endpoint) };
  };

  // A member's dial is tried every half a second on average, however many watches and registrations wait for it.
  const back = await outage(false);
  expect(back.dialsPerSecond).toBeLessThan(3 * CLIENTS);
  // Each has its place in history: it resumes its two watches and its lease, and reads its key and nobody else's.
  expect(back.traffic.total("Watch")).toBeGreaterThanOrEqual(2 * CLIENTS);
  expect(back.traffic.total()).toBeLessThan(20 * CLIENTS);

  // With a restart even a leader that is the only one is a new one: one fresh lease each, at a time of its own.
  const soon = back.traffic.total("LeaseGrant");
  expect(soon).toBeLessThan(CLIENTS);
  await sleep(MOVED_WITHIN_MS);
  const moved = await trafficOf(member.endpoint);
  // What is slow to be answered is asked for again, by the same id.
  expect(await leases(lab.cluster)).toHaveLength(CLIENTS);
  expect(moved.total("LeaseGrant")).toBeGreaterThanOrEqual(CLIENTS);
  expect(moved.total("LeaseGrant")).toBeLessThan(1.5 * CLIENTS);
  expect(moved.total("LeaseRevoke")).toBeLessThan(1.5 * CLIENTS);
  expect(moved.total("Txn") - back.traffic.total("Txn")).toBeLessThan(5 * CLIENTS);

  // Nothing is left: each takes a lease, claims its key and lists the service anew.
  const rebuilt = await outage(true);
  expect(rebuilt.dialsPerSecond).toBeLessThan(3 * CLIENTS);
  expect(rebuilt.traffic.total("LeaseGrant")).toBeGreaterThanOrEqual(CLIENTS);
  expect(rebuilt.traffic.total()).toBeLessThan(40 * CLIENTS);
});

/** Members of etcd that restart or are gone while calls go on: no call passes through etcd, and none may notice. */
import { firstMatch } from "rollcall";
import { describe, expect, test, vi } from "vitest";
import { type Laboratory, type Load, lostNothing, startLaboratory, TTL_MS } from "../lab/laboratory.js";

// A first run compiles the programs of the servers, each for itself.
vi.setConfig({ testTimeout: 120_000 });

const WORK_MS = 10;

function startServers(lab: Laboratory) {
  return Promise.all([1, 2, 3].map(() => lab.server({ workMs: WORK_MS })));
}

const ready = (load: Load, servers: number, withinMs: number) =>
  firstMatch(load.client.endpoints.availability, (now) => now.ready === servers, AbortSignal.timeout(withinMs));

test("38: a rolling restart of every member fails no call, and no server leaves a view", async () => {
  await using lab = await startLaboratory();
  await startServers(lab);
  const loads = await Promise.all([true, false].map((idempotent) => lab.load({ idempotent })));
  const sizes = new Set<number>();
  const watching = loads.map((load) => load.client.endpoints.subscribe(({ length }) => void sizes.add(length)));
  for (const member of lab.cluster.members) {
    await member.kill("SIGTERM");
    await member.restart();
    await loads[0]?.more(200);
  }
  for (const subscription of watching) subscription[Symbol.dispose]();
  expect(sizes).toEqual(new Set([3]));
  await lostNothing(...loads);
});

describe.concurrent("while etcd is down", () => {
  test("18: a server that is killed and comes back fails no idempotent call, and has its share again", async () => {
    await using lab = await startLaboratory({ size: 1 });
    const [victim] = await startServers(lab);
    const load = await lab.load({ idempotent: true });
    const [member] = lab.cluster.members;
    const address = victim?.address ?? "";
    await member?.kill();
    await load.more(200);
    await victim?.kill();
    await load.more(200);
    const returning = lab.server({ listen: address, workMs: WORK_MS, startTimeoutMs: 60_000 });
    await ready(load, 3, 20_000);
    const backMs = performance.now();
    await load.more(200);
    expect(load.client.membership.current.state).toBe("stale");
    expect(load.attemptsAt(address, backMs)).toBeGreaterThan(20);

    await member?.restart();
    await returning;
    await firstMatch(load.client.membership, ({ state }) => state === "live", AbortSignal.timeout(4 * TTL_MS));
    await load.more(200);
    await lostNothing(load);
  });

  test("21: a server that is drained fails no call, whether it may be repeated or not", async () => {
    await using lab = await startLaboratory({ size: 1 });
    const [first, second] = await startServers(lab);
    const loads = await Promise.all([true, false].map((idempotent) => lab.load({ idempotent })));
    await lab.cluster.members[0]?.kill();
    await loads[0]?.more(200);
    await first?.drain();
    await loads[0]?.more(200);
    await second?.drain();
    await loads[0]?.more(200);
    await lostNothing(...loads);
  });
});

/** Servers that leave, die, hang and come back under steady load, with etcd between them and their clients: which calls fail. */
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch } from "rollcall";
import { expect, test } from "vitest";
import { type Load, lostNothing, startLaboratory, TTL_MS } from "./lab/laboratory.js";

const WORK_MS = 10;
/** Within this a client has noticed that a server is gone or hangs; a lease tells it a TTL after that at the earliest. */
const SOON_MS = 2_000;

async function startScene() {
  const lab = await startLaboratory({ size: 1 });
  const serve = (listen = "127.0.0.1:0") => lab.server({ listen, workMs: WORK_MS });
  const servers = await Promise.all([serve(), serve(), serve()]);
  return { lab, servers, serve, [Symbol.asyncDispose]: lab.stop };
}

const allReady = (load: Load, withinMs: number) =>
  firstMatch(load.client.endpoints.availability, ({ ready }) => ready === 3, AbortSignal.timeout(withinMs));

test("21: a rolling restart of every server fails no call, whether it may be repeated or not", async () => {
  await using scene = await startScene();
  const repeatable = await scene.lab.load({ idempotent: true });
  const once = await scene.lab.load({ idempotent: false });
  await once.more(200);
  for (const server of scene.servers) {
    await server.drain();
    await scene.serve(server.address);
    await allReady(once, 15_000);
    const sinceMs = performance.now();
    await once.more(200);
    expect(once.attemptsAt(server.address, sinceMs)).toBeGreaterThan(20); // it has its share again
  }
  await lostNothing(repeatable, once);
  expect(once.calls).toBeGreaterThan(1_000);
});

test("39: a server that is killed fails no idempotent call, and gets no more long before its lease ends", async () => {
  await using scene = await startScene();
  const load = await scene.lab.load({ idempotent: true });
  const [victim] = scene.servers;
  const killedMs = performance.now();
  await victim?.kill();
  await sleep(TTL_MS * 0.7);
  const { membership, endpoints } = load.client;
  expect(membership.current).toMatchObject({ state: "live", instances: { length: 3 } }); // its lease still runs
  expect(load.attemptsAt(victim?.address ?? "", killedMs + SOON_MS)).toBe(0);
  await firstMatch(endpoints, (list) => list.length === 2, AbortSignal.timeout(4 * TTL_MS));
  await lostNothing(load);
});

test("a server that hangs fails no idempotent call, gets no more of them, and is used again when it wakes", async () => {
  await using scene = await startScene();
  const load = await scene.lab.load({ idempotent: true, timeoutMs: 3_000 });
  const [victim] = scene.servers;
  const address = victim?.address ?? "";
  await load.more(200);
  const pausedMs = performance.now();
  victim?.pause();
  await sleep(TTL_MS * 0.7);
  expect(load.attemptsAt(address, pausedMs + SOON_MS)).toBe(0);
  victim?.resume();
  await allReady(load, 15_000);
  const resumedMs = performance.now();
  await load.more(200);
  expect(load.attemptsAt(address, resumedMs)).toBeGreaterThan(20);
  await lostNothing(load);
});

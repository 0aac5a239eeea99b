/** What the network does to a registration: answers that are lost or late, and silence. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { disturbance, expectNeverAbsent, hex, keyOf, leases, putAfter } from "../lab/key-history.js";
import { nowMs, startLaboratory, TTL_MS } from "../lab/laboratory.js";

const BACK_WITHIN_MS = 2_000;
const address = "127.0.0.1:50051";
const key = keyOf(address);

/** An etcd of its own, so that its leases can be counted, and a server behind a network of its own. */
async function start(size = 1) {
  const lab = await startLaboratory({ size });
  const network = await lab.network();
  const auditor = lab.auditor();
  const server = await lab.participant({ endpoints: network.endpoints });
  const states = () => server.statuses.filter(({ service }) => service === "book").map(({ state }) => state);
  return { lab, network, auditor, server, states, [Symbol.asyncDispose]: lab.stop };
}

/** The same, with connections that stand: a first answer that is lost would only be that of a handshake. */
async function startConnected(size = 1) {
  const all = await start(size);
  await all.server.register({ address }, "other");
  const [other = 0n] = await leases(all.lab.cluster);
  /** The leases of the service `book`. */
  const ofBook = async () => (await leases(all.lab.cluster)).filter((lease) => lease !== other);
  return { ...all, ofBook };
}

describe.concurrent("answers that are lost or late", { timeout: 120_000 }, () => {
  test("12: a first claim whose answer is lost is found to be done, and not done twice", async () => {
    await using all = await start();
    const { lab, network, auditor, server } = all;
    await network.set({ delayMs: 200 });
    const registering = server.register({ address });
    const put = await auditor.event((event) => event.key === key);
    await network.set("drop-responses");
    await sleep(TTL_MS / 2);
    await network.set("pass");
    await registering;
    await auditor.caughtUp();
    expect(auditor.events).toEqual([put]);
    expect(await leases(lab.cluster)).toEqual([put.lease]);
  });

  test("12: a claim after a fault whose answer is lost is found to be done, and not done twice", async () => {
    await using all = await start();
    const { lab, network, auditor, server, states } = all;
    await server.register({ address });
    await network.set({ delayMs: 200 });
    await lab.cluster.etcdctl("del", key);
    const gone = await disturbance(auditor, key, 0n);
    const back = await putAfter(auditor, gone);
    await network.set("drop-responses");
    await sleep(TTL_MS / 2);
    await network.set("pass");
    await server.until(() => states().at(-1) === "registered");
    await auditor.caughtUp();
    expect(auditor.events.at(-1)).toBe(back);
    expect(await leases(lab.cluster)).toEqual([back.lease]);
  });

  test("13: a lease whose grant was answered to nobody is the one that is used", async ({ expect }) => {
    await using all = await startConnected();
    const { network, auditor, server, ofBook } = all;
    await network.set("drop-responses");
    const registering = server.register({ address });
    await expect.poll(ofBook).toHaveLength(1);
    const granted = await ofBook();
    await network.set("pass");
    await registering;
    const put = await auditor.event((event) => event.key === key);
    expect([put.lease]).toEqual(granted);
    expect(await ofBook()).toEqual(granted);
    await server.deregister(address);
    expect(await ofBook()).toEqual([]);
  });

  test("13: a server that gives up while no answer reaches it leaves nothing that outlives a TTL", async ({
    expect,
  }) => {
    await using all = await startConnected();
    const { network, auditor, server, ofBook } = all;
    await network.set("drop-responses");
    const registering = expect(server.register({ address })).rejects.toThrow("closed");
    await expect.poll(ofBook).toHaveLength(1);
    await server.close();
    await registering;
    await expect.poll(ofBook, { timeout: TTL_MS + 1_500 }).toEqual([]);
    await auditor.caughtUp();
    expect(auditor.events.filter((event) => event.key === key)).toEqual([]);
  });

  test("13: a grant whose answers come later than anybody waits is made once", async ({ expect }) => {
    await using all = await startConnected(3);
    const { network, auditor, server, ofBook } = all;
    await network.set({ delayMs: 1_600 }); // a round trip is longer than a try
    const registering = server.register({ address });
    await expect.poll(ofBook, { timeout: TTL_MS }).toHaveLength(1);
    const granted = await ofBook();
    await sleep(TTL_MS / 2);
    expect(await ofBook()).toEqual(granted);
    await network.set("pass");
    await registering;
    await sleep(2_000); // for what was still under way
    await auditor.caughtUp();
    const puts = auditor.events.filter((event) => event.key === key);
    expect(puts.map(({ lease }) => lease)).toEqual(granted);
    expect(await ofBook()).toEqual(granted);
  });
});

describe.concurrent("a network that is silent or slow", { timeout: 120_000 }, () => {
  test("20: a lease revoked behind a black hole: the server knows that it may be lost, and is back within 2 s of healing", async () => {
    await using all = await start();
    const { lab, network, auditor, server, states } = all;
    await server.register({ address });
    const put = await auditor.event((event) => event.key === key);
    await network.set("black-hole");
    await lab.cluster.etcdctl("lease", "revoke", hex(put.lease));
    const gone = await disturbance(auditor, key, put.modRevision);
    await server.until(() => states().at(-1) === "lost", TTL_MS + 1_000);
    expect(states()).toEqual(["registered", "suspect", "lost"]);
    await sleep(TTL_MS);
    await network.set("pass");
    const healedAtMs = nowMs();
    const back = await putAfter(auditor, gone);
    expect(back.atMs - healedAtMs).toBeLessThan(BACK_WITHIN_MS);
    await server.until(() => states().at(-1) === "registered");
    expect(await leases(lab.cluster)).toEqual([back.lease]);
  });

  test("9: whoever comes back from a black hole to a key that is another's leaves it alone", async () => {
    await using all = await start();
    const { lab, network, auditor, server, states } = all;
    await server.register({ address });
    const put = await auditor.event((event) => event.key === key);
    await network.set("black-hole");
    await disturbance(auditor, key, put.modRevision);
    const other = await lab.participant();
    await other.register({ address });
    const theirs = await putAfter(auditor, put);
    await network.set("pass");
    await server.until(() => states().at(-1) === "superseded");
    expect(server.statuses.at(-1)?.by).toContain(hex(theirs.lease));
    await sleep(BACK_WITHIN_MS);
    await expectNeverAbsent(auditor, theirs);
    expect(auditor.at().get(key)).toBe(theirs);
    expect(await leases(lab.cluster)).toEqual([theirs.lease]);
  });

  test("35: with every answer more than a second late, the key is never absent", async () => {
    await using all = await start(3);
    const { network, auditor, server, states } = all;
    await server.register({ address });
    const put = await auditor.event((event) => event.key === key);
    await network.set({ delayMs: 600 }); // each way: later than a renewal waits before it asks another member
    await sleep(3 * TTL_MS);
    await network.set("pass");
    await expectNeverAbsent(auditor, put);
    expect(states()).not.toContain("lost");
  });

  test("35: with two of three members out of reach, the third try to renew is in time", async () => {
    await using all = await start(3);
    const { network, auditor, server, states } = all;
    await server.register({ address });
    const put = await auditor.event((event) => event.key === key);
    // Whichever two: each is the only one that answers for a while.
    for (const reachable of network.proxies) {
      await Promise.all(network.proxies.map((proxy) => proxy.set(proxy === reachable ? "pass" : "black-hole")));
      await sleep(1.5 * TTL_MS);
    }
    await expectNeverAbsent(auditor, put);
    expect(states()).not.toContain("lost");
  });
});

/** What an operator, or another program, does to the key of a registration. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { disturbance, hex, keyOf, leases, putAfter } from "./lab/key-history.js";
import { type Auditor, type Laboratory, type Participant, startLaboratory, TTL_MS } from "./lab/laboratory.js";

const BACK_WITHIN_MS = 2_000;

describe.concurrent.each(["3.4", "3.5"] as const)("on etcd %s", (version) => {
  let lab: Laboratory;
  let auditor: Auditor;
  let server: Participant;
  beforeAll(async () => {
    lab = await startLaboratory({ size: 1, version });
    auditor = lab.auditor();
    server = await lab.participant();
  });
  afterAll(() => lab.stop());

  /** A registration of `server`, one of a test's own. */
  async function registered(service: string) {
    const address = "127.0.0.1:50051";
    const key = keyOf(address, service);
    await server.register({ address }, service);
    const put = await auditor.event((event) => event.key === key);
    return { address, key, put };
  }

  const statesOf = (service: string) =>
    server.statuses.filter((status) => status.service === service).map(({ state }) => state);

  test.concurrent.each([
    ["8: a key deleted by an operator", "deleted", (key: string) => ["del", key]],
    ["8: a key deleted with a whole prefix", "wiped-out", (key: string) => ["del", "--prefix", key.slice(0, -5)]],
    ["8: a lease revoked by an operator", "revoked", (_: string, lease: bigint) => ["lease", "revoke", hex(lease)]],
    ["11: a key whose lease a plain put has stripped", "stripped", (key: string) => ["put", key, "10.9.9.9:1"]],
  ])("%s is back within 2 s", async (_, service, command) => {
    const { address, key, put } = await registered(service);
    // Not only once: what mends it has to go on.
    let before = put;
    for (let times = 0; times < 3; times += 1) {
      await lab.cluster.etcdctl(...command(key, before.lease));
      const fault = await disturbance(auditor, key, before.modRevision);
      const back = await putAfter(auditor, fault);
      expect(back.atMs - fault.atMs).toBeLessThan(BACK_WITHIN_MS);
      expect(back.value).toBe(address);
      await server.until(
        () => server.statuses.findLast((status) => status.service === service)?.leaseId === back.lease,
      );
      await server.until(() => statesOf(service).at(-1) === "registered");
      before = back;
    }
    expect(statesOf(service)).toEqual(["registered", "lost", "registered", "lost", "registered", "lost", "registered"]);
    const ours = server.statuses.find((status) => status.service === service);
    if (service !== "revoked") expect(before.lease).toBe(ours?.leaseId);
  });

  test.concurrent("11: a value that somebody wrote under our lease is ours again within 2 s", async () => {
    const { address, key, put } = await registered("overwritten");
    await lab.cluster.etcdctl("put", key, "10.9.9.9:1", "--ignore-lease");
    const fault = await auditor.event((event) => event.key === key && event.value === "10.9.9.9:1");
    const back = await putAfter(auditor, fault);
    expect(back.atMs - fault.atMs).toBeLessThan(BACK_WITHIN_MS);
    expect([back.value, back.lease]).toEqual([address, put.lease]);
  });

  test.concurrent("9: a key that somebody else took is left alone, and claimed when it is free", async ({ expect }) => {
    const { address, key, put } = await registered("taken");
    const other = await lab.participant();
    await other.register({ address }, "taken");
    const theirs = await putAfter(auditor, put);
    await server.until(() => statesOf("taken").at(-1) === "superseded");
    const status = server.statuses.findLast(({ service }) => service === "taken");
    expect(status?.by).toBe(`lease ${hex(theirs.lease).padStart(16, "0")}`);
    // The lease that holds nothing any more is given back, and the other's is renewed for longer than one would live.
    await expect.poll(() => leases(lab.cluster)).not.toContain(put.lease);
    await sleep(TTL_MS + 1_500);
    expect(auditor.at().get(key)).toBe(theirs);

    await other.kill(); // without a word: its lease has to end first
    const gone = await disturbance(auditor, key, theirs.modRevision);
    const back = await putAfter(auditor, gone);
    expect(back.atMs - gone.atMs).toBeLessThan(BACK_WITHIN_MS);
    await server.until(() => statesOf("taken").at(-1) === "registered");
    expect(statesOf("taken")).toEqual(["registered", "superseded", "lost", "registered"]);
  });

  test.concurrent("9: whoever was superseded and ends deletes nothing", async () => {
    const { address, key, put } = await registered("yielded");
    const other = await lab.participant();
    await other.register({ address }, "yielded");
    const theirs = await putAfter(auditor, put);
    await server.until(() => statesOf("yielded").at(-1) === "superseded");
    await server.deregister(address, "yielded");
    await sleep(TTL_MS + 1_500); // and what etcd takes to end a lease: nor does the end of the old one
    await auditor.caughtUp();
    expect(auditor.at().get(key)).toBe(theirs);
    expect(await leases(lab.cluster)).not.toContain(put.lease);
  });
});

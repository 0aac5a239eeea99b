/** When a registration asks for a fresh lease: as soon as it hears of an election, and as often as it takes. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  address,
  answerable,
  claim,
  client,
  clock,
  elect,
  grant,
  grants,
  header,
  idOf,
  keepAlive,
  log,
  ours,
  reading,
  reelected,
  register,
  registration,
  renew,
  reset,
  spread,
  start,
  started,
  states,
  term,
  unavailable,
} from "../../../../test/support/scripted-registration.js";
import { EtcdError } from "../client/etcd-error.js";
import { KV, Lease } from "../proto/etcd_pb.js";

beforeEach(reset);

describe("a registration whose cluster has a new leader", () => {
  it("asks by the same id again when the answer to the grant was lost, and by another when it was refused", async () => {
    await register();
    await reelected();
    await spread();
    const first = client.nextCall(Lease.method.leaseGrant);
    await first.fail(unavailable());
    await clock.advance(100);
    const second = client.nextCall(Lease.method.leaseGrant);
    expect(second.request.ID).toBe(first.request.ID);
    await second.fail(new EtcdError("no-space", 8, "etcdserver: mvcc: database space exceeded"));
    await clock.advance(200);
    expect(client.nextCall(Lease.method.leaseGrant).request.ID).not.toBe(first.request.ID);
    expect(states).toEqual(["registered"]);
    expect(log).toEqual([
      expect.stringMatching(/stays on the one that it has: etcdserver: mvcc: database space exceeded/),
    ]);
  });

  it("moves once for each election: not for the term of the fresh lease, an older one or none", async () => {
    await register();
    const before = idOf();
    const stream = await reelected();
    await spread();
    const fresh = await grant();
    await claim(21n, ours(address, 10n, before));
    for (const raftTerm of [3n, 2n, 0n, 3n]) {
      await clock.advance(3_400);
      stream.message({ header: { raftTerm }, ID: fresh, TTL: 10n });
    }
    expect(grants()).toBe(0);
    await reelected(stream);
    await spread();
    expect(grants()).toBe(1);
  });

  it("asks at once when there is another election, however often it was refused before", async () => {
    await register();
    const stream = await reelected();
    const refused: bigint[] = [];
    for (let passed = 0; passed < 60_000; passed += 100) {
      await clock.advance(100);
      if (passed % 3_400 === 0) renew(stream);
      if (grants() === 0) continue;
      const call = client.nextCall(Lease.method.leaseGrant);
      refused.push(call.request.ID);
      await call.fail(new EtcdError("no-space", 8, "etcdserver: mvcc: database space exceeded"));
    }
    expect(refused.length).toBeGreaterThan(6);
    expect(refused.length).toBeLessThan(12);
    expect(log).toHaveLength(1);
    elect();
    renew(stream);
    await spread();
    expect(grants()).toBe(1);
  });

  it("waits no longer than half of its TTL after a grant that was not answered", async () => {
    await register();
    const stream = await reelected();
    let answered = stream.sent.length;
    for (let tries = 0; tries < 12; tries += 1) {
      for (let passed = 0; grants() === 0; passed += 100) {
        expect(passed).toBeLessThanOrEqual(5_000);
        await clock.advance(100);
        if (stream.sent.length > answered) renew(stream);
        answered = stream.sent.length;
      }
      await client.nextCall(Lease.method.leaseGrant).fail(unavailable());
    }
    expect(log).toEqual([]);
  });

  it("does not move what it has registered anew after the election", async () => {
    await register();
    elect();
    await clock.advance(3_500);
    keepAlive().message({ ID: idOf(), TTL: 0n });
    await grant();
    await claim(21n);
    await spread();
    expect(grants()).toBe(0);
  });

  it.each(["before", "after"])(
    "moves again when the grant of the fresh lease is answered %s another election",
    async (when) => {
      await register();
      const before = idOf();
      const stream = await reelected();
      await spread();
      const asked = client.nextCall(Lease.method.leaseGrant);
      const inTerm = term;
      elect(); // of whoever carried it out, whatever the answer says
      await clock.advance(1_700);
      renew(stream);
      const raftTerm = when === "before" ? inTerm : term;
      await asked.answer({ header: { raftTerm }, ID: asked.request.ID, TTL: 10n });
      await claim(21n, ours(address, 10n, before));
      expect(idOf()).toBe(asked.request.ID);
      await spread();
      expect(grants()).toBe(1);
    },
  );

  it("moves again when the fresh lease was granted before an election, and its answer lost", async () => {
    await register();
    const before = idOf();
    await reelected();
    await spread();
    const first = client.nextCall(Lease.method.leaseGrant);
    elect();
    await first.fail(unavailable());
    await clock.advance(100);
    await found(first.request.ID);
    await claim(21n, ours(address, 10n, before));
    await spread();
    expect(grants()).toBe(1);
  });

  it("stays on its first lease where only the answer to the grant was lost", async () => {
    start();
    const first = client.nextCall(Lease.method.leaseGrant);
    await first.fail(unavailable());
    await clock.advance(100);
    await found(first.request.ID);
    await claim(10n);
    await started;
    await spread();
    expect(grants()).toBe(0);
  });

  it("learns of the leader by reading its key where a renewal was slow, for that waited for the election", async () => {
    await register();
    await clock.advance(3_334);
    const slow = keepAlive();
    await clock.advance(1_667); // another member is asked
    renew(slow);
    elect();
    await client.nextCall(KV.method.txn).answer(reading(20n, ours()));
    await spread();
    expect(grants()).toBe(1);
  });

  it("wastes no time where little is left until the old leader could believe the lease to be over", async () => {
    await register();
    await clock.advance(8_000);
    const stream = await answerable();
    elect();
    renew(stream);
    await clock.advance(600); // less than half of what is left of the TTL since the lease was granted
    expect(grants()).toBe(1);
  });

  it("stays on its lease through an outage of a whole TTL, whoever leads after it", async () => {
    await register();
    const before = idOf();
    await clock.advance(10_001);
    expect(registration.current.state).toBe("lost");
    const stream = await answerable();
    renew(stream); // headed before the renewal, so with the term of before the outage
    elect();
    while (client.waitingCalls(KV.method.txn) > 1) client.nextCall(KV.method.txn);
    await client.nextCall(KV.method.txn).answer(reading(30n, ours()));
    expect(registration.current.state).toBe("registered");
    await clock.advance(3_500);
    renew(stream);
    await spread();
    expect([grants(), idOf()]).toEqual([0, before]);
  });
});

/** An earlier try had the lease granted. */
async function found(id: bigint): Promise<void> {
  const exists = new EtcdError("lease-exists", 9, "etcdserver: lease already exists");
  await client.nextCall(Lease.method.leaseGrant).fail(exists);
  const answer = { header: header(1n), ID: id, TTL: 9n, grantedTTL: 10n };
  await client.nextCall(Lease.method.leaseTimeToLive).answer(answer);
}

/** What a registration does about a leader that was replaced, and may not know it as it wakes. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  address,
  answerable,
  bytes,
  claim,
  client,
  clock,
  deleted,
  elect,
  grant,
  header,
  idOf,
  keepAlive,
  key,
  leaseNotFound,
  log,
  make,
  ours,
  type Pair,
  puts,
  reading,
  register,
  registration,
  removals,
  reset,
  start,
  started,
  states,
  term,
  unavailable,
  watch,
} from "../../../../test/support/scripted-registration.js";
import { goKitLayout } from "../../layouts/go-kit.js";
import type { Layout } from "../../layouts/layout.js";
import { EtcdError } from "../client/etcd-error.js";
import { KV, Lease } from "../proto/etcd_pb.js";

beforeEach(reset);

type RenewalStream = ReturnType<typeof keepAlive>;

const grants = () => client.waitingCalls(Lease.method.leaseGrant);
const revoked = () => {
  const ids: bigint[] = [];
  while (client.waitingCalls(Lease.method.leaseRevoke) > 0)
    ids.push(client.nextCall(Lease.method.leaseRevoke).request.ID);
  return ids;
};
const renew = (stream: RenewalStream, id = idOf(), raftTerm = term) =>
  stream.message({ header: { ...header(20n), raftTerm }, ID: id, TTL: 10n });
/** Its next renewal is answered by a member that knows a new leader. */
const reelected = async (stream = keepAlive()) => {
  elect();
  await clock.advance(3_500);
  renew(stream);
  return stream;
};
/** The longest that the grant of a fresh lease is put off: a sixth of the TTL. */
const spread = () => clock.advance(1_667);

describe("a registration whose cluster has a new leader", () => {
  it("moves its key to a fresh lease, and gives the old one back when nothing hangs on it any more", async () => {
    await register();
    const before = idOf();
    await reelected();
    expect(grants()).toBe(0); // not all in the same moment
    await spread();
    const fresh = await grant();
    expect(fresh).not.toBe(before);
    expect(revoked()).toEqual([]);
    expect(puts(await claim(21n, ours(address, 10n, before)))).toEqual([[key, address, fresh]]);
    expect(revoked()).toEqual([before]);
    expect(registration.lease).toEqual({ id: fresh, ttlMs: 10_000, revision: 21n });
    expect([states, log]).toEqual([["registered"], []]);
  });

  it("keeps both leases alive, and its key watched over, until the key has moved", async () => {
    await register();
    const before = idOf();
    const stream = await reelected();
    const guard = watch();
    await spread();
    for (let tries = 0; tries < 3; tries += 1) {
      await client.nextCall(Lease.method.leaseGrant).fail(unavailable());
      await clock.advance(3_400);
      renew(stream, before);
    }
    expect(guard.ended).toBeUndefined();
    const fresh = await grant();
    expect(guard.ended).toBe("cancelled");
    const from = stream.sent.length;
    await clock.advance(3_400);
    expect(new Set(stream.sent.slice(from).map(({ ID }) => ID))).toEqual(new Set([before, fresh]));
    expect(states).toEqual(["registered"]);
  });

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
    expect([states, log]).toEqual([["registered"], []]);
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

  it("moves again after an election that was heard of while the fresh lease was asked for", async () => {
    await register();
    const before = idOf();
    const stream = await reelected();
    await spread();
    const asked = client.nextCall(Lease.method.leaseGrant);
    const asOf = header(1n); // carried out by a leader who is replaced next
    elect();
    await clock.advance(1_700);
    renew(stream);
    await asked.answer({ header: asOf, ID: asked.request.ID, TTL: 10n });
    await claim(21n, ours(address, 10n, before));
    expect(idOf()).toBe(asked.request.ID);
    await spread();
    expect(grants()).toBe(1);
  });

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

  it("moves when its first lease was granted by a try of which it does not know the term", async () => {
    start();
    const first = client.nextCall(Lease.method.leaseGrant);
    await first.fail(unavailable());
    elect();
    await clock.advance(100);
    await found(first.request.ID);
    await claim(10n);
    await started;
    await spread();
    expect(grants()).toBe(1);
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
    await clock.advance(1_000); // half of what is left of the TTL since the lease was granted
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

  it("removes, with the move, what was written for the old lease under a key of its own", async () => {
    const layout: Layout = {
      ...goKitLayout(),
      encode: (_service, instance, leaseId) => [{ key: keyFor(leaseId), value: bytes(instance.address) }],
    };
    make(layout);
    await register();
    const before = idOf();
    await reelected();
    await spread();
    const fresh = await grant();
    const stands: Pair = { key: bytes(keyFor(before)), value: bytes(address), lease: before, modRevision: 10n };
    const request = await claim(21n, stands);
    expect(puts(request)).toEqual([[keyFor(fresh), address, fresh]]);
    expect(removals(request)).toEqual([keyFor(before)]);
  });

  it("claims under the fresh lease when the key is deleted while it is granted", async () => {
    await register();
    const before = idOf();
    await reelected();
    await spread();
    watch().message(deleted(20n));
    expect(registration.current.state).toBe("lost");
    const fresh = await grant();
    expect(client.nextCall(KV.method.txn).aborted).toBe(true); // the claim under the old one
    expect(puts(await claim(21n))).toEqual([[key, address, fresh]]);
    expect(revoked()).toEqual([before]);
    expect(states).toEqual(["registered", "lost", "registered"]);
  });

  it("takes the fresh lease when the old one turns out to be gone", async () => {
    await register();
    const stream = await reelected();
    await spread();
    const asked = client.nextCall(Lease.method.leaseGrant);
    await clock.advance(3_500);
    stream.message({ ID: idOf(), TTL: 0n });
    expect(asked.aborted).toBe(true);
    expect(await grant()).toBe(asked.request.ID);
    expect(puts(await claim(21n))).toEqual([[key, address, asked.request.ID]]);
    expect(revoked()).toEqual([]);
  });

  it("keeps the old lease, with the key on it, when the fresh one is gone before the key has moved", async () => {
    await register();
    const before = idOf();
    const stream = await reelected();
    await spread();
    const fresh = await grant();
    await client.nextCall(KV.method.txn).answer(reading(20n, ours(address, 10n, before)));
    await client.nextCall(KV.method.txn).fail(leaseNotFound());
    const third = await grant();
    await clock.advance(3_500);
    expect(stream.sent.at(-1)?.ID).toBe(before);
    expect(revoked()).toEqual([]);
    expect(puts(await claim(21n, ours(address, 10n, before)))).toEqual([[key, address, third]]);
    expect(revoked()).toEqual([before]);
    expect(new Set([before, fresh, third]).size).toBe(3);
  });

  it("gives every lease back when another took the key before it has moved", async () => {
    await register();
    const before = idOf();
    await reelected();
    await spread();
    const fresh = await grant();
    const another = { key: bytes(key), value: bytes(address), lease: 0x2an, modRevision: 19n };
    await client.nextCall(KV.method.txn).answer(reading(20n, another));
    expect(registration.current.state).toBe("superseded");
    expect(revoked()).toEqual([fresh, before]);
  });

  it.each(["waits to be asked for", "is asked for", "is granted"])(
    "withdraws with all its leases when it is closed while the fresh one %s",
    async (stage) => {
      await register();
      const before = idOf();
      const stream = await reelected();
      let fresh: bigint | undefined;
      if (stage !== "waits to be asked for") await spread();
      if (stage === "is asked for") fresh = client.nextCall(Lease.method.leaseGrant).request.ID;
      if (stage === "is granted") fresh = await grant();
      const closed = registration.close();
      while (client.waitingCalls(Lease.method.leaseRevoke) > 0) {
        const call = client.nextCall(Lease.method.leaseRevoke);
        expect([before, fresh]).toContain(call.request.ID);
        await call.answer({});
      }
      await closed;
      expect(stream.ended).toBe("cancelled");
      expect(clock.pendingTimers).toBe(0);
      expect(states.at(-1)).toBe("closed");
    },
  );
});

/** An earlier try had the lease granted. */
async function found(id: bigint): Promise<void> {
  const exists = new EtcdError("lease-exists", 9, "etcdserver: lease already exists");
  await client.nextCall(Lease.method.leaseGrant).fail(exists);
  const answer = { header: header(1n), ID: id, TTL: 9n, grantedTTL: 10n };
  await client.nextCall(Lease.method.leaseTimeToLive).answer(answer);
}

function keyFor(leaseId: bigint): string {
  return `/services/book/${leaseId}`;
}

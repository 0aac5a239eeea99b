/** How a registration moves its key away from a leader that was replaced, and may not know it as it wakes. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  address,
  answerable,
  bytes,
  claim,
  client,
  clock,
  deleted,
  grant,
  grants,
  header,
  idOf,
  key,
  leaseNotFound,
  log,
  make,
  ours,
  type Pair,
  puts,
  reading,
  reelected,
  register,
  registration,
  removals,
  renew,
  reset,
  revoked,
  spread,
  states,
  text,
  unavailable,
  watch,
} from "../../../../test/support/scripted-registration.js";
import { goKitLayout } from "../../layouts/go-kit.js";
import type { Layout } from "../../layouts/layout.js";
import { KV, Lease } from "../proto/etcd_pb.js";

beforeEach(reset);

describe("a registration that moves to a fresh lease", () => {
  it("moves its key to a fresh lease, and gives the old one back when nothing hangs on it any more", async () => {
    await register();
    const before = idOf();
    await reelected();
    expect(grants()).toBe(0); // not all in the same moment
    await spread();
    const fresh = await grant();
    expect(fresh).not.toBe(before);
    expect(revoked()).toEqual([]);
    expect(registration.lease).toEqual({ id: before, ttlMs: 10_000, revision: 10n }); // it still holds the key
    expect(puts(await claim(21n, ours(address, 10n, before)))).toEqual([[key, address, fresh]]);
    expect(revoked()).toEqual([before]);
    expect(registration.lease).toEqual({ id: fresh, ttlMs: 10_000, revision: 21n });
    expect([states, log]).toEqual([["registered"], []]);
  });

  it("keeps the old lease no longer, although its revocation is not answered", async () => {
    await register();
    const before = idOf();
    const stream = await reelected();
    await spread();
    const fresh = await grant();
    await claim(21n, ours(address, 10n, before));
    const from = stream.sent.length;
    await clock.advance(3_400);
    expect(stream.sent.slice(from).map(({ ID }) => ID)).toEqual([fresh]);
  });

  it("believes the fresh lease alone from then on", async () => {
    await register();
    const before = idOf();
    const stream = await reelected();
    await spread();
    const fresh = await grant();
    await clock.advance(6_700);
    expect(registration.current.state).toBe("suspect"); // the fresh one is overdue
    const both = await answerable();
    renew(both, before);
    expect(registration.current.state).toBe("suspect");
    renew(both, fresh);
    expect(registration.current.state).toBe("registered");
    await clock.advance(3_400);
    renew(both, fresh);
    await clock.advance(3_300); // two thirds of the TTL since the old one was confirmed
    expect(registration.current.state).toBe("registered");
    await clock.advance(3_300);
    expect(registration.current.state).not.toBe("lost");
    (await answerable()).message({ header: header(20n), ID: before, TTL: 0n });
    expect(grants()).toBe(0);
    expect([stream.ended, states.includes("lost")]).toEqual(["cancelled", false]);
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

  it("removes, with the move, what was written for the old lease under a key of its own", async () => {
    make(layoutWithLeases);
    await register();
    const first = idOf();
    const stream = await reelected();
    await spread();
    const gone = await grant();
    await client.nextCall(KV.method.txn).answer(reading(20n, standing(first, 10n)));
    await client.nextCall(KV.method.txn).fail(leaseNotFound());
    const second = await grant();
    const request = await claim(21n, standing(first, 10n));
    expect(puts(request)).toEqual([[keyFor(second), address, second]]);
    expect(removals(request)).toEqual([keyFor(first)]);
    await reelected(stream);
    await spread();
    const third = await grant();
    const next = await claim(22n, standing(second, 21n));
    expect(next.compare.map((compare) => text(compare.key))).toEqual([third, second].map(keyFor)); // and no older ones
    expect(gone).not.toBe(second);
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

const layoutWithLeases: Layout = {
  ...goKitLayout(),
  encode: (_service, instance, leaseId) => [{ key: keyFor(leaseId), value: bytes(instance.address) }],
};

function standing(lease: bigint, modRevision: bigint): Pair {
  return { key: bytes(keyFor(lease)), value: bytes(address), lease, modRevision };
}

function keyFor(leaseId: bigint): string {
  return `/services/book/${leaseId}`;
}

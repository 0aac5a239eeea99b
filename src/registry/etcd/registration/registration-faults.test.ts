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
  idOf,
  keepAlive,
  key,
  log,
  ours,
  type Pair,
  puts,
  reading,
  register,
  registration,
  reset,
  start,
  started,
  states,
  unavailable,
  watch,
  written,
} from "../../../../test/support/scripted-registration.js";
import { EtcdError } from "../client/etcd-error.js";
import { KV, Lease } from "../proto/etcd_pb.js";

beforeEach(reset);

describe("a registration under faults", () => {
  it("claims again, on the same lease, when its key is deleted", async () => {
    await register();
    watch().message(deleted(11n));
    const request = await claim(12n);
    expect(puts(request)).toEqual([[key, address, idOf()]]);
    expect(states).toEqual(["registered", "lost", "registered"]);
    expect(log).toEqual([
      `book ${address} is lost: its key ${key} was deleted; it is being registered again`,
      `book ${address} is registered again`,
    ]);
  });

  it("goes on trying a claim that fails, with pauses within the TTL", async () => {
    await register();
    watch().message(deleted(11n));
    for (let tries = 0; tries < 12; tries += 1) {
      await client.nextCall(KV.method.txn).fail(unavailable());
      await clock.advance(2_500); // half of half the TTL: the jitter is fixed
    }
    await claim(12n);
    expect(registration.current.state).toBe("registered");
    expect(log.filter((line) => line.includes("lost"))).toHaveLength(1);
  });

  it("puts its value again when another stands under its lease, or its lease was stripped", async () => {
    await register();
    watch().message(written(ours("10.9.9.9:1", 11n)));
    expect(puts(await claim(12n, ours("10.9.9.9:1", 11n)))).toEqual([[key, address, idOf()]]);
    const stripped: Pair = { key: bytes(key), value: bytes(address), modRevision: 13n };
    watch().message(written(stripped));
    expect(puts(await claim(14n, stripped))).toEqual([[key, address, idOf()]]);
  });

  it("is superseded by another lease, gives its own back, and claims with a new one when the key is free", async () => {
    await register();
    const before = idOf();
    watch().message(written({ key: bytes(key), value: bytes(address), lease: 0x2an, modRevision: 11n }));
    expect(registration.current).toMatchObject({ state: "superseded", by: "lease 000000000000002a" });
    expect(client.nextCall(Lease.method.leaseRevoke).request.ID).toBe(before);
    const guard = watch();
    guard.message(written({ key: bytes(key), value: bytes(address), lease: 0x2bn, modRevision: 12n }));
    expect(registration.current.by).toBe("lease 000000000000002b");
    guard.message(deleted(13n));
    expect(await grant()).not.toBe(before);
    await claim(14n);
    expect(states).toEqual(["registered", "superseded", "superseded", "lost", "registered"]);
  });

  it("respects another owner that it finds when it claims again", async () => {
    await register();
    watch().message(deleted(11n));
    await client
      .nextCall(KV.method.txn)
      .answer(reading(12n, { key: bytes(key), value: bytes(address), lease: 0x2an, modRevision: 12n }));
    expect(registration.current.state).toBe("superseded");
    expect(client.waitingCalls(KV.method.txn)).toBe(0);
  });

  it("warns once while its keys must not be read, and opens its lease's stream without permission too", async () => {
    await register();
    expect(keepAlive().options.evenIfRefused).toBe(true);
    const denied = () => new EtcdError("denied", 7, "etcdserver: permission denied");
    watch().message({ canceled: true, cancelReason: "etcdserver: permission denied" });
    for (let tries = 0; tries < 3; tries += 1) {
      await clock.advance(2_000);
      await client.nextCall(KV.method.txn).fail(denied());
    }
    expect(log).toEqual([
      `book ${address} cannot be watched over, a deletion would go unseen: etcdserver: permission denied`,
    ]);
    expect(states).toEqual(["registered"]);
  });

  it("leaves it to the renewals to look for etcd while its lease is in doubt, and reads its keys as soon as one is answered", async () => {
    await register();
    watch().end(unavailable());
    const failAll = async () => {
      let failed = 0;
      for (; client.waitingCalls(KV.method.txn) > 0; failed += 1)
        await client.nextCall(KV.method.txn).fail(unavailable());
      return failed;
    };
    for (let passedMs = 0; passedMs < 12_000; passedMs += 100) {
      await clock.advance(100);
      await failAll();
    }
    expect(registration.current.state).toBe("lost");
    let reads = 0;
    for (let passedMs = 0; passedMs < 60_000; passedMs += 100) {
      await clock.advance(100);
      reads += await failAll();
    }
    expect(reads).toBeGreaterThanOrEqual(6);
    expect(reads).toBeLessThanOrEqual(8);
    (await answerable()).message({ ID: idOf(), TTL: 10n });
    await client.nextCall(KV.method.txn).answer(reading(20n, ours()));
    expect(registration.current.state).toBe("registered");
  });

  it("watches its keys elsewhere when the member never answers the request for a watch", async () => {
    await register();
    const unanswered = watch();
    await clock.advance(9_999);
    await client.nextCall(KV.method.txn).answer(reading(30n, ours()));
    expect(unanswered.ended).toBe("cancelled");
    expect(unanswered.suspected).toBe("it did not answer the request for a watch");
    const guard = watch();
    guard.message({ created: true });
    for (let reads = 0; reads < 2; reads += 1) {
      await clock.advance(9_999);
      await client.nextCall(KV.method.txn).answer(reading(31n, ours()));
    }
    expect(guard.ended).toBeUndefined();
  });

  it("makes a new lease as soon as etcd says that its own is gone", async () => {
    await register();
    const before = idOf();
    const stream = keepAlive();
    await clock.advance(3_334);
    stream.message({ ID: before, TTL: 0n });
    expect(await grant()).not.toBe(before);
    await claim(20n);
    expect(states).toEqual(["registered", "lost", "registered"]);
  });

  it("is suspect, then lost without an answer, and on its old lease again when etcd kept it", async () => {
    await register();
    const before = idOf();
    await clock.advance(6_667);
    expect(registration.current.state).toBe("suspect");
    await clock.advance(3_334);
    expect(registration.current.state).toBe("lost");
    expect(client.waitingCalls(Lease.method.leaseGrant)).toBe(0);
    const stream = await answerable();
    stream.message({ ID: before, TTL: 10n });
    // The periodic reads went unanswered; the claim's own comes last.
    while (client.waitingCalls(KV.method.txn) > 1) client.nextCall(KV.method.txn);
    await client.nextCall(KV.method.txn).answer(reading(30n, ours()));
    expect(registration.current.state).toBe("registered");
    expect(idOf()).toBe(before);
    expect(states).toEqual(["registered", "suspect", "lost", "registered"]);
  });

  it("looks at its key after it was suspect: a renewed lease does not prove that the key is there", async () => {
    await register();
    watch();
    await clock.advance(6_667);
    const stream = await answerable();
    stream.message({ ID: idOf(), TTL: 10n });
    expect(registration.current.state).toBe("registered");
    await client.nextCall(KV.method.txn).answer(reading(30n)); // it is not
    expect(registration.current.state).toBe("lost");
    await claim(31n);
    expect(registration.current.state).toBe("registered");
  });

  it("finds within a TTL that its key vanished behind a watch that is deaf", async () => {
    await register();
    const stream = keepAlive();
    await clock.advance(3_334);
    stream.message({ ID: idOf(), TTL: 10n });
    await clock.advance(3_334);
    stream.message({ ID: idOf(), TTL: 10n });
    await clock.advance(2_083);
    await client.nextCall(KV.method.txn).answer(reading(30n));
    expect(registration.current.state).toBe("lost");
  });

  it.each(["compacted", "cut"])("reads its key when its watch is %s, and watches on from there", async (fault) => {
    await register();
    const first = watch();
    if (fault === "cut") first.end(new Error("connection reset"));
    else first.message({ canceled: true, compactRevision: 40n });
    await clock.advance(50);
    await client.nextCall(KV.method.txn).answer(reading(50n, ours()));
    expect(watch().sent[0]?.requestUnion.value).toMatchObject({ startRevision: 51n });
    expect(states).toEqual(["registered"]);
  });

  it("says so, once, when it cannot come back for a reason that will not pass", async () => {
    await register();
    watch().message(deleted(11n));
    for (let tries = 0; tries < 3; tries += 1) {
      await client.nextCall(KV.method.txn).fail(new EtcdError("denied", 7, "etcdserver: permission denied"));
      await clock.advance(2_500);
    }
    expect(registration.current).toEqual({ state: "lost", reason: "etcdserver: permission denied" });
    await claim(12n);
    expect(registration.current).toEqual({ state: "registered" });
    expect(log).toEqual([
      `book ${address} is lost: its key ${key} was deleted; it is being registered again`,
      `book ${address} is not registered again yet: etcdserver: permission denied; trying again`,
      `book ${address} is registered again`,
    ]);
  });

  it("asks for its lease anew when it ran out between the grant and the question about it", async () => {
    start();
    const first = client.nextCall(Lease.method.leaseGrant);
    await first.fail(new EtcdError("lease-exists", 9, "etcdserver: lease already exists"));
    await client.nextCall(Lease.method.leaseTimeToLive).answer({ TTL: -1n });
    expect(await grant()).toBe(first.request.ID);
    await claim(10n);
    await started;
    expect(registration.lease.ttlMs).toBe(10_000);
  });

  it("gets a new token when the member refuses that of its key's watch", async () => {
    await register();
    const refused = watch();
    refused.message({ created: true, canceled: true, cancelReason: "etcdserver: invalid auth token" });
    expect([refused.tokenRenewals, refused.ended]).toEqual([1, "cancelled"]);
    await clock.advance(50);
    await client.nextCall(KV.method.txn).answer(reading(50n, ours()));
    expect(watch().sent[0]?.requestUnion.value).toMatchObject({ startRevision: 51n });
  });
});

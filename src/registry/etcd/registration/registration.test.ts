import { beforeEach, describe, expect, it } from "vitest";
import {
  address,
  bytes,
  claim,
  client,
  clock,
  deleted,
  grant,
  idOf,
  keepAlive,
  key,
  leaseNotFound,
  log,
  make,
  ours,
  outcome,
  type Pair,
  puts,
  reading,
  register,
  registration,
  reset,
  start,
  started,
  states,
  text,
  unavailable,
  watch,
  written,
} from "../../../../test/support/scripted-registration.js";
import { EtcdError } from "../client/etcd-error.js";
import { KV, Lease } from "../proto/etcd_pb.js";

beforeEach(reset);

describe("a registration", () => {
  it("is granted, claims, and watches its key from the revision after the claim", async () => {
    start();
    const id = await grant();
    expect(puts(await claim(10n))).toEqual([[key, address, id]]);
    await started;
    expect(registration.current).toEqual({ state: "registered" });
    expect(registration.lease).toEqual({ id, ttlMs: 10_000, revision: 10n });
    const [created] = watch().sent;
    expect(created?.requestUnion.value).toMatchObject({ key: bytes(key), startRevision: 11n });
  });

  it("asks for the same lease again when the reply to a grant was lost", async () => {
    start();
    const first = client.nextCall(Lease.method.leaseGrant);
    await first.fail(new EtcdError("timeout", 4, "no answer"));
    await clock.advance(50);
    const second = client.nextCall(Lease.method.leaseGrant);
    expect(second.request.ID).toBe(first.request.ID);
    await second.fail(new EtcdError("lease-exists", 9, "etcdserver: lease already exists"));
    await client.nextCall(Lease.method.leaseTimeToLive).answer({ TTL: 9n, grantedTTL: 10n });
    await claim(10n);
    await started;
    expect(registration.lease.id).toBe(first.request.ID);
    expect(registration.lease.ttlMs).toBe(10_000);
  });

  it("reads back a claim of unknown outcome: our lease in the key is success", async () => {
    start();
    const lease = await grant();
    await client.nextCall(KV.method.txn).answer(reading(9n));
    await client.nextCall(KV.method.txn).fail(new EtcdError("timeout", 4, "no answer"));
    await clock.advance(50);
    await client.nextCall(KV.method.txn).answer(reading(10n, ours(address, 10n, lease)));
    await started;
    expect(outcome).toBe("registered");
    expect(client.waitingCalls(KV.method.txn)).toBe(0);
  });

  it("takes over a predecessor's key at first, bound to what it has read of it", async () => {
    start();
    await grant();
    const request = await claim(10n, { key: bytes(key), value: bytes(address), lease: 77n, modRevision: 4n });
    expect(request.compare[0]?.targetUnion).toEqual({ case: "modRevision", value: 4n });
    await started;
    expect(client.waitingCalls(Lease.method.leaseRevoke)).toBe(0);
  });

  it("claims with a new lease when the first one vanished before the claim", async () => {
    start();
    const first = await grant();
    await client.nextCall(KV.method.txn).fail(leaseNotFound());
    expect(await grant()).not.toBe(first);
    const request = await claim(10n, { key: bytes(key), value: bytes(address), lease: 77n, modRevision: 4n });
    expect(puts(request)).toHaveLength(1);
    await started;
    expect(outcome).toBe("registered");
  });

  it("updates in place, and takes its own write for no disturbance", async () => {
    await register();
    const first = watch();
    const updating = registration.update({ weight: 3 });
    expect(first.ended).toBe("cancelled");
    const request = await claim(12n, ours());
    await updating;
    expect(puts(request)[0]?.[1]).toContain('"Addr"');
    expect(watch().sent[0]?.requestUnion.value).toMatchObject({ startRevision: 13n });
    expect(states).toEqual(["registered"]);
    expect(log.filter((line) => line.includes("go-kit clients cannot"))).toHaveLength(1);
  });

  it("rejects an update that etcd refuses, and goes on with what it wrote before", async () => {
    await register();
    const tooLarge = new EtcdError("refused", 3, "etcdserver: request is too large");
    const rejected = expect(registration.update({ metadata: { notes: "far too long" } })).rejects.toBe(tooLarge);
    await client.nextCall(KV.method.txn).answer(reading(11n, ours()));
    await client.nextCall(KV.method.txn).fail(tooLarge);
    await rejected;
    expect(registration.instance).toEqual({ id: key, address });
    await clock.advance(50);
    await client.nextCall(KV.method.txn).answer(reading(11n, ours()));
    watch();
    watch().message(deleted(12n)); // the key is guarded again
    expect(puts(await claim(13n))).toEqual([[key, address, idOf()]]);
    expect(registration.current).toEqual({ state: "registered" });
  });

  it("writes the newest of two updates, and resolves both", async () => {
    await register();
    const updates = Promise.all([registration.update({ weight: 2 }), registration.update({ weight: 3 })]);
    client.nextCall(KV.method.txn); // of the first, given up
    expect(puts(await claim(12n, ours()))[0]?.[1]).toContain("3");
    await updates;
    expect(registration.instance.weight).toBe(3);
  });

  it("writes an update that was made while the key was somebody else's with the next claim", async () => {
    await register();
    watch().message(written({ key: bytes(key), value: bytes(address), lease: 0x2an, modRevision: 11n }));
    let done = false;
    const updating = registration.update({ zone: "b" }).then(() => {
      done = true;
    });
    await clock.advance(1_000);
    expect(done).toBe(false);
    watch().message(deleted(12n));
    await grant();
    expect(puts(await claim(13n))[0]?.[1]).toContain("b");
    await updating;
  });

  it("claims, updates and removes all keys of its layout in one transaction", async () => {
    make({
      name: "two keys",
      prefix: (service) => `/${service}/`,
      encode: (service, instance) => [
        { key: `/${service}/instances/${instance.address}`, value: bytes(instance.address) },
        { key: `/${service}/versions/${instance.version ?? "none"}`, value: bytes(instance.address) },
      ],
      decode: () => [],
    });
    start();
    await grant();
    expect(puts(await claim(10n)).map(([name]) => name)).toEqual([
      "/book/instances/10.0.0.1:80",
      "/book/versions/none",
    ]);
    await started;
    void registration.update({ version: "2" });
    const pair = (name: string): Pair => ({ key: bytes(name), value: bytes(address), lease: idOf(), modRevision: 10n });
    const request = await claim(11n, pair("/book/instances/10.0.0.1:80"), pair("/book/versions/none"));
    expect(puts(request).map(([name]) => name)).toEqual(["/book/instances/10.0.0.1:80", "/book/versions/2"]);
    const [, , removal] = request.success;
    expect(removal?.request.case === "requestDeleteRange" && text(removal.request.value.key)).toBe(
      "/book/versions/none",
    );
  });

  it("withdraws by revoking its lease, after it stopped watching and renewing", async () => {
    await register();
    const [guard, stream] = [watch(), keepAlive()];
    const closing = registration.close();
    expect(registration.current.state).toBe("draining");
    expect([guard.ended, stream.ended]).toEqual(["cancelled", "cancelled"]);
    const revoke = client.nextCall(Lease.method.leaseRevoke);
    expect(revoke.request.ID).toBe(idOf());
    expect(revoke.options.timeoutMs).toBe(3_000);
    await revoke.answer({});
    await closing;
    expect(registration.close()).toBe(closing);
    expect(states).toEqual(["registered", "draining", "closed"]);
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(60_000);
    expect(client.waitingCalls(Lease.method.leaseGrant) + client.waitingCalls(KV.method.txn)).toBe(0);
  });

  it("closes with a warning when etcd cannot be told", async () => {
    await register();
    const closing = registration.close({ timeoutMs: 100 });
    await client.nextCall(Lease.method.leaseRevoke).fail(unavailable());
    await closing;
    expect(registration.current.state).toBe("closed");
    expect(log.at(-1)).toMatch(/connection refused.*its lease ends it within 10000 ms/);
  });

  it("rejects in time when etcd does not answer, undoes what may have happened, and says why", async () => {
    start({ timeoutMs: 4_000 });
    const grants = client.nextCall(Lease.method.leaseGrant);
    await grants.fail(unavailable());
    expect(log).toEqual([`book ${address} is not registered yet: member-1: connection refused; trying again`]);
    await clock.advance(3_500);
    const revoke = client.nextCall(Lease.method.leaseRevoke);
    expect(revoke.request.ID).toBe(grants.request.ID);
    expect(revoke.options.timeoutMs).toBe(500);
    await revoke.fail(unavailable());
    await started;
    expect(outcome).toMatchObject({ code: "REGISTRY_UNAVAILABLE" });
    expect(String(outcome)).toMatch(/not registered within 4000 ms: member-1: connection refused/);
    expect(clock.pendingTimers).toBe(0);
  });

  it("rejects at once what trying again cannot mend", async () => {
    start();
    await client.nextCall(Lease.method.leaseGrant).fail(new EtcdError("denied", 7, "etcdserver: permission denied"));
    await started;
    expect(outcome).toMatchObject({ code: "REGISTRY_DENIED" });
    expect(clock.pendingTimers).toBe(0);
  });

  it("undoes a claim in flight when its signal aborts", async () => {
    const giveUp = new AbortController();
    start({ signal: giveUp.signal });
    const id = await grant();
    const claiming = client.nextCall(KV.method.txn);
    giveUp.abort(new Error("enough"));
    await clock.advance(0);
    expect(claiming.aborted).toBe(true);
    const revoke = client.nextCall(Lease.method.leaseRevoke);
    expect(revoke.request.ID).toBe(id);
    await revoke.answer({});
    await started;
    expect(outcome).toMatchObject({ message: "enough" });
    expect(clock.pendingTimers).toBe(0);
  });
});

import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { scriptedEtcdClient } from "../../../test/support/scripted-etcd-client.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { goKitLayout } from "../layouts/go-kit.js";
import type { Layout } from "../layouts/layout.js";
import type { RegistrationState } from "../registry.js";
import { EtcdError } from "./etcd-error.js";
import { LeaseKeeper } from "./lease-keeper.js";
import {
  Event_EventType,
  type KeyValueSchema,
  KV,
  Lease,
  type TxnRequest,
  type TxnResponseSchema,
  Watch,
} from "./proto/etcd_pb.js";
import { EtcdRegistration } from "./registration.js";

const address = "10.0.0.1:80";
const key = `/services/book/${address}`;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const header = (revision: bigint) => ({ clusterId: 7n, memberId: 1n, raftTerm: 2n, revision });
const unavailable = () => new EtcdError("unavailable", 14, "member-1: connection refused");
const leaseNotFound = () => new EtcdError("lease-not-found", 5, "etcdserver: requested lease not found");

type Pair = MessageInitShape<typeof KeyValueSchema>;

describe("a registration", () => {
  let clock: ReturnType<typeof virtualClock>;
  let client: ReturnType<typeof scriptedEtcdClient>;
  let registration: EtcdRegistration;
  let states: RegistrationState[];
  let log: string[];
  let started: Promise<unknown>;
  let outcome: unknown;

  function make(layout: Layout = goKitLayout()): void {
    // All but fixed: every pause is half of its bound, and yet no two lease ids are the same.
    let drawn = 0;
    const random = () => {
      drawn += 1;
      return 0.5 - drawn / 1e9;
    };
    const parts = { client, clock, random };
    const logger = { warn: (line: string) => void log.push(line), info: () => {} };
    const environment = { ...parts, keeper: new LeaseKeeper(parts), layout, ttlMs: 10_000, logger };
    registration = new EtcdRegistration(environment, "book", { address }, () => {});
  }
  function start(options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {}): void {
    outcome = "waiting";
    started = registration.start({ timeoutMs: 10_000, ...options }).then(
      () => {
        outcome = "registered";
        registration.subscribe(({ state }) => states.push(state));
      },
      (error: unknown) => {
        outcome = error;
      },
    );
  }
  beforeEach(() => {
    clock = virtualClock();
    client = scriptedEtcdClient();
    states = [];
    log = [];
    make();
  });

  const idOf = () => registration.lease.id;
  const ours = (value = address, modRevision = 10n): Pair => ({
    key: bytes(key),
    value: bytes(value),
    lease: idOf(),
    modRevision,
  });
  const reading = (revision: bigint, ...kvs: readonly Pair[]): MessageInitShape<typeof TxnResponseSchema> => ({
    header: header(revision),
    succeeded: true,
    responses: [{ response: { case: "responseRange", value: { kvs: [...kvs] } } }],
  });
  const grant = async () => {
    const call = client.nextCall(Lease.method.leaseGrant);
    await call.answer({ ID: call.request.ID, TTL: call.request.TTL });
    return call.request.ID;
  };
  /** Answers the read of a claim with what stands there, and the write that follows with success. */
  const claim = async (revision: bigint, ...kvs: readonly Pair[]): Promise<TxnRequest> => {
    await client.nextCall(KV.method.txn).answer(reading(revision - 1n, ...kvs));
    const write = client.nextCall(KV.method.txn);
    await write.answer({ header: header(revision), succeeded: true });
    return write.request;
  };
  const register = async () => {
    start();
    await grant();
    await claim(10n);
    await started;
    expect(outcome).toBe("registered");
  };
  const watch = () => client.nextStream(Watch.method.watch);
  const keepAlive = () => client.nextStream(Lease.method.leaseKeepAlive);
  /** The newest stream of renewals that waits for an answer. */
  const answerable = async () => {
    let stream = keepAlive();
    for (;;) {
      while (client.waitingStreams(Lease.method.leaseKeepAlive) > 0) stream = keepAlive();
      if (stream.ended === undefined && stream.sent.length > 0) return stream;
      await clock.advance(50);
    }
  };
  const deleted = (modRevision: bigint) => ({
    header: header(modRevision),
    events: [{ type: Event_EventType.DELETE, kv: { key: bytes(key), modRevision } }],
  });
  const written = (kv: Pair) => ({ header: header(kv.modRevision ?? 0n), events: [{ type: Event_EventType.PUT, kv }] });
  const puts = ({ success }: TxnRequest) =>
    success.flatMap(({ request }) =>
      request.case === "requestPut" ? [[text(request.value.key), text(request.value.value), request.value.lease]] : [],
    );

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
    await grant();
    await client.nextCall(KV.method.txn).answer(reading(9n));
    await client.nextCall(KV.method.txn).fail(new EtcdError("timeout", 4, "no answer"));
    await clock.advance(50);
    await client.nextCall(KV.method.txn).answer(reading(10n, ours()));
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
      `book ${address} is still lost: etcdserver: permission denied; trying again`,
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
    expect(revoke.options.timeoutMs).toBe(2_000);
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

/** A move whose claim is refused: the right to write the key was withdrawn, or etcd ran full after it had granted the lease. */
import { beforeEach, expect, it } from "vitest";
import {
  address,
  claim,
  client,
  clock,
  elect,
  grant,
  header,
  idOf,
  keepAlive,
  key,
  log,
  ours,
  puts,
  reading,
  register,
  registration,
  reset,
  revoked,
  states,
  watch,
} from "../../../../test/support/scripted-registration.js";
import { EtcdError } from "../client/etcd-error.js";
import { KV, Lease } from "../proto/etcd_pb.js";

beforeEach(reset);

const denied = () => new EtcdError("denied", 7, "etcdserver: permission denied");
let givenBack: bigint[] = [];

/** `ms` of a cluster that answers all but writes. */
async function live(stream: ReturnType<typeof keepAlive>, ms: number, ...stands: Parameters<typeof reading>[1][]) {
  let answered = stream.sent.length;
  for (let passed = 0; passed < ms; passed += 100) {
    await clock.advance(100);
    for (const { ID } of stream.sent.slice(answered)) stream.message({ header: header(20n), ID, TTL: 10n });
    answered = stream.sent.length;
    while (client.waitingCalls(KV.method.txn) > 0) {
      const call = client.nextCall(KV.method.txn);
      if (call.request.compare.length > 0) await call.fail(denied());
      else await call.answer(reading(20n, ...stands));
    }
    if (client.waitingCalls(Lease.method.leaseGrant) > 0) await grant();
    givenBack.push(...revoked());
  }
}

it("leaves the key on the lease that it has, keeps that one alone, and says so once", async () => {
  await register();
  const before = idOf();
  const stream = keepAlive();
  givenBack = [];
  for (let election = 0; election < 5; election += 1) {
    elect();
    await live(stream, 10_000, ours(address, 10n, before));
  }
  const from = stream.sent.length;
  await live(stream, 4_000, ours(address, 10n, before));
  expect(new Set(stream.sent.slice(from).map(({ ID }) => ID))).toEqual(new Set([before]));
  expect(givenBack).toHaveLength(5);
  expect(givenBack).not.toContain(before);
  expect(idOf()).toBe(before);
  expect(states).toEqual(["registered"]);
  expect(log).toEqual([expect.stringMatching(/fresh lease .* stays on the one that it has: etcdserver: permission/)]);
});

it("watches over the key where it stands, and tells of its deletion", async () => {
  await register();
  const stream = keepAlive();
  elect();
  await live(stream, 10_000, ours());
  let guard = watch();
  while (guard.ended) guard = watch();
  await live(stream, 15_000);
  expect(states.at(-1)).toBe("lost");
  expect(registration.current.reason).toContain("permission denied");
});

it("moves the key when the right to write is given again", async () => {
  await register();
  const before = idOf();
  const stream = keepAlive();
  elect();
  await live(stream, 10_000, ours());
  for (let passed = 0; client.waitingCalls(Lease.method.leaseGrant) === 0; passed += 100) {
    expect(passed).toBeLessThan(40_000);
    await clock.advance(100);
    stream.message({ header: header(20n), ID: before, TTL: 10n });
    if (client.waitingCalls(KV.method.txn) > 0)
      await client.nextCall(KV.method.txn).answer(reading(20n, ours(address, 10n, before)));
  }
  const fresh = await grant();
  expect(puts(await claim(30n, ours(address, 10n, before)))).toEqual([[key, address, fresh]]);
  expect(revoked()).toContain(before);
});

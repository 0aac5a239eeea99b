import { beforeEach, describe, expect, it } from "vitest";
import { scriptedEtcdClient } from "../../../../test/support/scripted-etcd-client.js";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { Lease } from "../proto/etcd_pb.js";
import { HeldLeases } from "./held-leases.js";
import { LeaseKeeper } from "./lease-keeper.js";

const nothing = () => {};
const lease = {
  probePrefix: "/services/book/",
  onTerm: nothing,
  onRenewed: nothing,
  onOverdue: nothing,
  onExpired: nothing,
  onGone: nothing,
};

describe("the leases of a registration", () => {
  let clock: ReturnType<typeof virtualClock>;
  let client: ReturnType<typeof scriptedEtcdClient>;
  let onReplaced: () => void;
  let leases: HeldLeases;

  const answer = async (raftTerm: bigint) => {
    const call = client.nextCall(Lease.method.leaseGrant);
    await call.answer({ header: { raftTerm }, ID: call.request.ID, TTL: 10n });
  };

  beforeEach(async () => {
    clock = virtualClock();
    client = scriptedEtcdClient();
    onReplaced = nothing;
    let drawn = 0;
    const random = () => {
      drawn += 1;
      return 0.5 - drawn / 1e9;
    };
    const parts = { client, clock, random };
    const options = { ...parts, keeper: new LeaseKeeper(parts), ttlMs: 10_000 };
    leases = new HeldLeases(options, { lease, onReplaced: () => onReplaced(), onRefused: nothing });
    const granted = leases.grant({ signal: new AbortController().signal, timeoutMs: 1_000 });
    await answer(2n);
    await granted;
    leases.keep();
  });

  it("take the term of the fresh one from its grant where no other is known", async () => {
    leases.acceptTerm();
    leases.replace();
    await clock.advance(1_700);
    await answer(3n);
    leases.move();
    expect([2n, 3n, 4n, 4n].map((term) => leases.noteTerm(term))).toEqual([false, false, true, false]);
  });

  it("grant one for all the elections that are heard of before it is asked for, and when it was first due", async () => {
    leases.replace();
    await clock.advance(800);
    leases.replace();
    await clock.advance(100);
    expect(client.waitingCalls(Lease.method.leaseGrant)).toBe(1);
    leases.replace();
    await clock.advance(1_700);
    expect(client.waitingCalls(Lease.method.leaseGrant)).toBe(1);
  });
});

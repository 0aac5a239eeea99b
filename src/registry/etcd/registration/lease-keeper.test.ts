import { beforeEach, describe, expect, it } from "vitest";
import { scriptedEtcdClient } from "../../../../test/support/scripted-etcd-client.js";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { Lease } from "../proto/etcd_pb.js";
import { LeaseKeeper, type LeaseObserver } from "./lease-keeper.js";

const method = Lease.method.leaseKeepAlive;

describe("the lease keeper", () => {
  let clock: ReturnType<typeof virtualClock>;
  let client: ReturnType<typeof scriptedEtcdClient>;
  let keeper: LeaseKeeper;
  let told: string[];

  const observer: LeaseObserver = {
    probePrefix: "/services/book/",
    onRenewed: () => void told.push(`renewed ${clock.nowMs()}`),
    onOverdue: () => void told.push(`overdue ${clock.nowMs()}`),
    onExpired: () => void told.push(`expired ${clock.nowMs()}`),
    onGone: () => void told.push(`gone ${clock.nowMs()}`),
  };
  const keep = (id: bigint, ttlMs = 6_000) => keeper.keep({ id, ttlMs, confirmedAtMs: clock.nowMs() }, observer);

  beforeEach(() => {
    clock = virtualClock();
    client = scriptedEtcdClient();
    keeper = new LeaseKeeper({ client, clock, random: () => 0.5 });
    told = [];
  });

  it("renews at a third of the TTL, and again a third after the renewal was sent", async () => {
    keep(1n);
    const stream = client.nextStream(method);
    await clock.advance(1_999);
    expect(stream.sent).toHaveLength(0);
    await clock.advance(1);
    expect(stream.sent.map(({ ID }) => ID)).toEqual([1n]);
    await clock.advance(300); // the way to etcd and back
    stream.message({ ID: 1n, TTL: 6n });
    await clock.advance(1_700);
    expect(stream.sent).toHaveLength(2);
    expect(told).toEqual([]);
  });

  it("keeps all leases on one stream, probed where it may read", async () => {
    keep(1n);
    keep(2n, 3_000);
    const stream = client.nextStream(method);
    expect(client.waitingStreams(method)).toBe(0);
    expect(stream.options.probePrefix).toBe("/services/book/");
    await clock.advance(1_000);
    stream.message({ ID: 2n, TTL: 3n });
    await clock.advance(1_000);
    expect(stream.sent.map(({ ID }) => ID)).toEqual([2n, 1n, 2n]);
  });

  it("tries three members within a TTL of 5 s when they do not answer", async () => {
    keep(1n, 5_000);
    for (let tries = 0; tries < 3; tries += 1) {
      const stream = client.nextStream(method);
      await clock.advance(tries === 0 ? 1_667 : 1);
      expect(stream.sent).toHaveLength(1);
      expect(clock.nowMs()).toBeLessThan(5_000);
      await clock.advance(900);
      expect(stream.ended).toEqual({ failed: "no answer to a lease renewal within 833 ms" });
    }
  });

  it("doubts a lease at two thirds of its TTL, gives it up for believed at the whole, and goes on renewing it", async () => {
    keep(1n);
    await clock.advance(4_000);
    expect(told).toEqual(["overdue 4000"]);
    await clock.advance(2_000);
    expect(told).toEqual(["overdue 4000", "expired 6000"]);
    let stream = client.nextStream(method);
    while (client.waitingStreams(method) > 0) stream = client.nextStream(method);
    expect(stream.sent.length).toBeGreaterThan(0);
    stream.message({ ID: 1n, TTL: 6n });
    expect(told.at(-1)).toBe("renewed 6000");
  });

  it("counts a confirmation from when it was asked for, not from when it came", async () => {
    keep(1n, 12_000);
    await clock.advance(4_000);
    const stream = client.nextStream(method);
    await clock.advance(1_900);
    stream.message({ ID: 1n, TTL: 12n }); // confirms 4,000
    stream.end(new Error("cut"));
    await clock.advance(4_000 + 8_000 - clock.nowMs());
    expect(told).toEqual(["overdue 12000"]);
  });

  it("believes the TTL of the answer", async () => {
    keep(1n);
    const stream = client.nextStream(method);
    await clock.advance(2_000);
    stream.message({ ID: 1n, TTL: 30n });
    await clock.advance(9_999);
    expect(stream.sent).toHaveLength(1);
    await clock.advance(1);
    expect(stream.sent).toHaveLength(2);
  });

  it("says that a lease is gone when etcd answers with a TTL of 0, and lets it be", async () => {
    keep(1n);
    const stream = client.nextStream(method);
    await clock.advance(2_000);
    stream.message({ ID: 1n, TTL: 0n });
    expect(told).toEqual(["gone 2000"]);
    expect(stream.ended).toBe("cancelled");
    await clock.advance(60_000);
    expect(told).toEqual(["gone 2000"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("opens a stream that ended at once, and then less and less often", async () => {
    keep(1n);
    client.nextStream(method).end(new Error("no leader"));
    await clock.advance(0);
    for (let failures = 0; failures < 10; failures += 1) {
      client.nextStream(method).end(new Error("no leader"));
      await clock.advance(250);
    }
    expect(client.waitingStreams(method)).toBe(1);
  });

  it("does not blame a member for the time that the process slept", async () => {
    const asleep = { ...clock, nowMs: () => clock.nowMs() + leapMs };
    let leapMs = 0;
    keeper = new LeaseKeeper({ client, clock: asleep, random: () => 0.5 });
    keeper.keep({ id: 1n, ttlMs: 6_000, confirmedAtMs: 0 }, observer);
    const stream = client.nextStream(method);
    await clock.advance(2_500);
    leapMs = 20_000; // the timer for the answer now rings 20 s late
    await clock.advance(500);
    expect(stream.ended).toBeUndefined();
    stream.message({ ID: 1n, TTL: 0n });
    expect(told.at(-1)).toContain("gone");
  });

  it("falls silent about a lease that is no longer kept, and ends with the last one", async () => {
    const [one, other] = [keep(1n), keep(2n)];
    const stream = client.nextStream(method);
    one.stop();
    expect(stream.ended).toBeUndefined();
    other.stop();
    other.stop();
    expect(stream.ended).toBe("cancelled");
    await clock.advance(60_000);
    expect(told).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
    keep(3n);
    expect(client.waitingStreams(method)).toBe(1);
  });
});

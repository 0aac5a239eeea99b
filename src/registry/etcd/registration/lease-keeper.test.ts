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
  let terms: bigint[];

  const observer: LeaseObserver = {
    probePrefix: "/services/book/",
    onTerm: (term) => void terms.push(term),
    onRenewed: () => void told.push(`renewed ${clock.nowMs()}`),
    onOverdue: () => void told.push(`overdue ${clock.nowMs()}`),
    onExpired: () => void told.push(`expired ${clock.nowMs()}`),
    onGone: () => void told.push(`gone ${clock.nowMs()}`),
  };
  const keep = (id: bigint, ttlMs = 6_000) =>
    keeper.keep({ id, ttlMs, confirmedAtMs: clock.nowMs(), term: 2n }, observer);

  beforeEach(() => {
    clock = virtualClock();
    client = scriptedEtcdClient();
    keeper = new LeaseKeeper({ client, clock, random: () => 0.5 });
    told = [];
    terms = [];
  });

  it("renews at a third of the TTL, and again a third after the renewal was sent", async () => {
    keep(1n);
    const stream = client.nextStream(method);
    await clock.advance(1_999);
    expect(stream.sent).toHaveLength(0);
    await clock.advance(1);
    expect(stream.sent.map(({ ID }) => ID)).toEqual([1n]);
    await clock.advance(100); // the way to etcd and back
    stream.message({ ID: 1n, TTL: 6n });
    await clock.advance(1_900);
    expect(stream.sent).toHaveLength(2);
    expect(told).toEqual([]);
  });

  it.each([5, 10, 30])(
    "is content with a proxy that renews a TTL of %d s in its own time, and answers only then",
    async (ttl) => {
      keep(1n, ttl * 1_000);
      const stream = client.nextStream(method);
      // etcd's client renews when a third of the TTL is over, and looks at its clock every 500 ms.
      const turnMs = Math.ceil((ttl * 1_000) / 3 / 500) * 500;
      let answered = 0;
      for (let turn = 1; turn <= 50; turn += 1) {
        await clock.advance(turnMs);
        if (stream.sent.length === answered) continue;
        answered += 1;
        stream.message({ ID: 1n, TTL: BigInt(ttl) });
      }
      expect(answered).toBeGreaterThan(45);
      expect(told).toEqual([]);
      expect(client.waitingStreams(method)).toBe(0); // no second one was asked for
    },
  );

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

  it("asks four times within a TTL of 5 s while nobody answers, and hears whoever answers first", async () => {
    keep(1n, 5_000);
    await clock.advance(1_667);
    const streams = [client.nextStream(method)];
    for (let more = 0; more < 3; more += 1) {
      await clock.advance(834);
      streams.push(client.nextStream(method));
    }
    expect(clock.nowMs()).toBeLessThan(4_500);
    expect(streams.map(({ sent, suspected }) => [sent.length, suspected])).toEqual([
      ...Array(3).fill([1, "no answer to a lease renewal within 833 ms"]),
      [1, undefined],
    ]);
    expect(streams.map(({ ended }) => ended)).toEqual(Array(4).fill(undefined));
    expect(told).toEqual([expect.stringContaining("overdue")]);
    streams[2]?.message({ ID: 1n, TTL: 5n }); // confirms as of when it was asked: 3,335
    expect(streams.map(({ ended }) => ended)).toEqual(["cancelled", "cancelled", undefined, "cancelled"]);
    expect(told.at(-1)).toBe(`renewed ${clock.nowMs()}`);
    await clock.advance(3_334 + 1_667 - clock.nowMs() + 2);
    expect(streams[2]?.sent).toHaveLength(2);
  });

  it("keeps a lease for ever although every answer comes later than it waits", async () => {
    keep(1n, 5_000);
    const answer = ({ sent, message }: ReturnType<typeof nextStream>, from: number) => {
      for (const { ID } of sent.slice(from)) clock.after(1_200, () => message({ ID, TTL: 5n }));
      return sent.length;
    };
    const nextStream = () => client.nextStream(method);
    const streams = new Map<ReturnType<typeof nextStream>, number>();
    for (let passed = 0; passed < 60_000; passed += 10) {
      await clock.advance(10);
      while (client.waitingStreams(method) > 0) streams.set(nextStream(), 0);
      for (const [stream, answered] of streams) streams.set(stream, answer(stream, answered));
    }
    expect(told.filter((each) => !each.startsWith("renewed"))).toEqual([]);
    expect(told.length).toBeGreaterThan(1);
    expect(told.length).toBeLessThanOrEqual(12); // once in a TTL, for its keys are read then
    expect([...streams.keys()].filter(({ ended }) => ended === undefined).length).toBeLessThanOrEqual(2);
  });

  it("asks again, on the stream that it stays with, for what it had asked on another", async () => {
    keep(1n);
    const slow = client.nextStream(method);
    await clock.advance(2_000 + 1_000);
    const other = client.nextStream(method);
    keep(2n, 1_500);
    await clock.advance(500);
    expect(slow.sent.map(({ ID }) => ID)).toEqual([1n]);
    expect(other.sent.map(({ ID }) => ID)).toEqual([1n, 2n]);
    slow.message({ ID: 1n, TTL: 6n });
    expect(other.ended).toBe("cancelled");
    expect(slow.sent.map(({ ID }) => ID)).toEqual([1n, 2n]);
  });

  it("is not bothered when a slow stream ends", async () => {
    keep(1n);
    const slow = client.nextStream(method);
    await clock.advance(2_000 + 1_000);
    const other = client.nextStream(method);
    slow.end(new Error("cut"));
    other.message({ ID: 1n, TTL: 6n });
    await clock.advance(2_000);
    expect(other.sent).toHaveLength(2);
    expect(client.waitingStreams(method)).toBe(0);
  });

  it("stays with a slow stream that answers when the one asked beside it has ended", async () => {
    keep(1n);
    const slow = client.nextStream(method);
    await clock.advance(2_000 + 1_000);
    client.nextStream(method).end(new Error("connection refused"));
    slow.message({ ID: 1n, TTL: 6n });
    await clock.advance(1_500);
    expect(slow.sent).toHaveLength(2);
    expect(client.waitingStreams(method)).toBe(0);
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

  it("tells the term of each answer before what the answer means, and what is sure to have reached the leader before", async () => {
    const kept = keep(1n);
    const stream = client.nextStream(method);
    const settled = () => terms.length > 0 && kept.settledAtMs;
    await clock.advance(2_000);
    stream.message({ header: { raftTerm: 2n }, ID: 1n, TTL: 6n });
    expect([terms, settled()]).toEqual([[2n], 0]);
    await clock.advance(2_000);
    stream.message({ header: { raftTerm: 2n }, ID: 1n, TTL: 6n });
    expect([terms, settled()]).toEqual([[2n, 2n], 2_000]);
    await clock.advance(2_000);
    stream.message({ header: { raftTerm: 3n }, ID: 1n, TTL: 6n });
    await clock.advance(2_000);
    stream.message({ ID: 1n, TTL: 0n });
    expect(terms).toEqual([2n, 2n, 3n]);
  });

  it.each(["did not come in time", "was asked for on a stream that ended"])(
    "says that a lease was renewed by an answer that %s: its leader may be another",
    async (fault) => {
      keep(1n);
      let stream = client.nextStream(method);
      await clock.advance(2_000);
      if (fault === "did not come in time") await clock.advance(1_000);
      else stream.end(new Error("etcdserver: no leader"));
      await clock.advance(0);
      stream = client.nextStream(method);
      stream.message({ ID: 1n, TTL: 6n });
      expect(told).toEqual([`renewed ${clock.nowMs()}`]);
      await clock.advance(2_000);
      stream.message({ ID: 1n, TTL: 6n });
      expect(told).toHaveLength(1);
    },
  );

  it("says of every lease that waited on a slow member that it was renewed, not only of the one whose patience ended", async () => {
    const ids = [1n, 2n, 3n];
    for (const id of ids) keep(id);
    client.nextStream(method);
    await clock.advance(2_000 + 1_000);
    const another = client.nextStream(method);
    await clock.advance(500);
    for (const ID of ids) another.message({ ID, TTL: 6n });
    expect(told).toEqual(ids.map(() => "renewed 3500"));
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
    keeper.keep({ id: 1n, ttlMs: 6_000, confirmedAtMs: 0, term: 2n }, observer);
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

/** What happens to a view while members of etcd hang, lag, lose their leader or their quorum. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { EtcdMember } from "../support/etcd.js";
import { expectExact, follow, holds, hosts, statesOf } from "./lab/follower.js";
import { nowMs, startLaboratory } from "./lab/laboratory.js";
import { startWriter } from "./lab/writer.js";

/** Three members, a watch on the first, and a writer that the first is not needed for. */
async function watchingOnTheFirst(options: Parameters<typeof startLaboratory>[0] = {}) {
  const lab = await startLaboratory(options);
  const auditor = lab.auditor();
  const [first, ...others] = lab.cluster.members as [EtcdMember, EtcdMember, EtcdMember];
  const writer = lab.owns(startWriter(others.map(({ endpoint }) => endpoint)));
  const network = await lab.network();
  await writer.put(["a"]);
  const book = lab.owns(follow(network.endpoints));
  await book.until(holds("a"));
  await writer.put(["b"]);
  await book.until(holds("a", "b")); // told by the watch, which therefore runs
  return { lab, auditor, first, others, writer, network, book, [Symbol.asyncDispose]: lab.stop };
}

describe.concurrent("a watch on one of three members", () => {
  test.each(["3.4", "3.5"] as const)(
    "4: etcd %s, two members stopped: the view is stale and kept, and live again with what follows",
    async (version) => {
      await using all = await watchingOnTheFirst({ version });
      const { auditor, others, writer, book } = all;
      for (const member of others) member.pause();
      const stale = await book.until(({ state }) => state === "stale");
      expect(hosts(stale)).toEqual(["a", "b"]);
      await sleep(3_000);
      expect(book.views.at(-1)?.view.state).toBe("stale");
      for (const member of others) member.resume();
      await writer.put(["c"]);
      await book.until(holds("a", "b", "c"));
      await auditor.caughtUp();
      expectExact(book.views, auditor);
    },
  );

  test("5: the member of the watch hangs: new events are seen within 6 s", async () => {
    await using all = await watchingOnTheFirst();
    const { auditor, first, writer, book } = all;
    first.pause();
    const hungAtMs = nowMs();
    await writer.put(["c"]);
    const writtenAtMs = nowMs();
    await book.until(holds("a", "b", "c"));
    // If the first led, nothing was written before a new leader was there.
    expect(nowMs() - Math.max(hungAtMs, writtenAtMs)).toBeLessThan(6_000);
    first.resume();
    await writer.put(["d"]);
    await book.until(holds("a", "b", "c", "d"));
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });

  test("14: the watch moves to a member that lags behind: the view does not go back", async () => {
    await using all = await watchingOnTheFirst();
    const { auditor, first, others, writer, network, book } = all;
    const [, ...otherProxies] = network.proxies;
    const toFirst = network.proxies[0];
    await toFirst?.set("refuse");
    first.pause();
    await writer.fill(24); // more than the system keeps on the way to the first, which would read it on waking
    await writer.put(["c"]);
    await book.until(holds("a", "b", "c")); // on another member
    const known = book.views.at(-1)?.view;
    // The first wakes among members that do not tell it what it missed.
    for (const member of others) member.pause();
    await Promise.all(otherProxies.map((proxy) => proxy.set("refuse")));
    await toFirst?.set("pass");
    first.resume();
    const past = await first.etcdctl("get", "--prefix", "/services/book/", "--keys-only", "--consistency=s");
    expect(past).not.toContain("/c:1");
    await sleep(3_000);
    expect(hosts(book.views.at(-1)?.view)).toEqual(hosts(known));
    for (const member of others) member.resume();
    await writer.put(["d"]);
    await book.until(holds("a", "b", "c", "d"));
    expect(book.views.at(-1)?.view).toMatchObject({ epoch: 0 });
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });

  test("33: the leader is stopped twice during churn: nothing is replayed", async () => {
    await using all = await watchingOnTheFirst();
    const { lab, auditor, book } = all;
    const writer = lab.owns(startWriter(lab.cluster.endpoints));
    const churn = writer.churn(10);
    for (let times = 0; times < 2; times += 1) {
      const leader = await lab.cluster.leader();
      leader.pause();
      await sleep(4_000); // an election takes two
      leader.resume();
      await sleep(1_000);
    }
    await churn.stop();
    await writer.put(["last"]);
    await book.until((view) => hosts(view).includes("last"));
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });
});

test("38: all members are restarted one by one under churn: no view is stale, empty or wrong", async () => {
  await using lab = await startLaboratory();
  const auditor = lab.auditor();
  const writer = lab.owns(startWriter(lab.cluster.endpoints));
  await writer.put(["steady"]);
  const books = lab.cluster.endpoints.map((_, index) => {
    const rotated = [...lab.cluster.endpoints.slice(index), ...lab.cluster.endpoints.slice(0, index)];
    return lab.owns(follow(rotated));
  });
  await Promise.all(books.map((book) => book.until(holds("steady"))));
  const churn = writer.churn(20);
  for (const member of lab.cluster.members) {
    await member.kill("SIGTERM");
    await member.restart();
    await sleep(1_000); // what an operator waits for: that it is healthy
  }
  await churn.stop();
  await writer.put(["last"]);
  await Promise.all(books.map((book) => book.until((view) => hosts(view).includes("last"))));
  await auditor.caughtUp();
  for (const book of books) {
    expect(statesOf(book.views)).not.toContain("stale");
    expectExact(book.views, auditor);
  }
});

/** What happens to a view when its stream is late, cut, overtaken by compaction, or open and deaf. */
import { describe, expect, test } from "vitest";
import { startDeafProxy } from "./lab/deaf-proxy.js";
import { expectExact, follow, holds, hosts, statesOf } from "./lab/follower.js";
import { type Laboratory, nowMs, startLaboratory } from "./lab/laboratory.js";
import { startWriter } from "./lab/writer.js";

const versions = ["3.4", "3.5"] as const;

async function start(options: Parameters<typeof startLaboratory>[0] = {}) {
  const lab = await startLaboratory({ size: 1, ...options });
  const auditor = lab.auditor();
  const writer = lab.owns(startWriter(lab.cluster.endpoints));
  return { lab, auditor, writer, [Symbol.asyncDispose]: lab.stop };
}

async function compact({ cluster }: Laboratory): Promise<void> {
  const fields = await cluster.etcdctl("get", "x", "-w", "fields");
  await cluster.etcdctl("compact", /"Revision" : (\d+)/.exec(fields)?.[1] ?? "");
}

describe.concurrent.each(versions)("a watch on etcd %s", (version) => {
  test("1: what is written between the list and the watch is not lost", async () => {
    await using all = await start({ version });
    const { lab, auditor, writer } = all;
    const network = await lab.network();
    await writer.put(["steady"]);
    await network.set({ delayMs: 500 });
    const churn = writer.churn(5);
    const book = lab.owns(follow(network.endpoints));
    await book.until(({ state }) => state === "live");
    expect(await churn.stop()).toBeGreaterThan(2);
    await writer.put(["last"]);
    await book.until((view) => hosts(view).includes("last"));
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });

  test("2: a stream that is cut while it catches up with 2,500 events loses none", async () => {
    await using all = await start({ version });
    const { lab, auditor, writer } = all;
    const network = await lab.network();
    const names = Array.from({ length: 2_500 }, (_, index) => `h${index}`);
    await writer.put(["steady"]);
    const book = lab.owns(follow(network.endpoints));
    await book.until(holds("steady"));
    await network.set("refuse");
    await writer.put(names);
    // A second for all of it, in three parts of at most 1,000 events.
    await network.set({ bytesPerSecond: 250_000 });
    let seen = 1;
    for (let cuts = 0; cuts < 2; cuts += 1) {
      seen = hosts(await book.until((view) => hosts(view).length > seen)).length;
      expect(seen).toBeLessThan(2_501);
      network.cut();
    }
    await network.set("pass");
    await writer.put(["last"]);
    await book.until((view) => hosts(view).includes("last"));
    expect(hosts(book.instancer.current)).toHaveLength(2_502);
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });

  test("3: a history that was compacted while it was cut off is read anew, and changes the view by the difference", async () => {
    await using all = await start({ version });
    const { lab, auditor, writer } = all;
    const network = await lab.network();
    await writer.put(["a", "b"]);
    await auditor.caughtUp();
    const book = lab.owns(follow(network.endpoints));
    await book.until(holds("a", "b"));
    await network.set("refuse");
    await writer.del(["a"]);
    await writer.put(["c"]);
    await auditor.caughtUp();
    await compact(lab);
    await network.set("pass");
    expect(await book.until(holds("b", "c"))).toMatchObject({ epoch: 0 });
    expectExact(book.views, auditor);
  });

  test("4: a stream that is open and deaf is passed over, and what it kept back is seen within 15 s", async () => {
    await using all = await start({ version });
    const { lab, auditor, writer } = all;
    const proxy = lab.owns(await startDeafProxy(lab.cluster.endpoints[0] ?? ""));
    await writer.put(["a", "b"]);
    const book = lab.owns(follow([proxy.endpoint]));
    await book.until(holds("a", "b"));
    await writer.put(["c"]);
    await book.until(holds("a", "b", "c")); // told by the watch, which therefore runs
    proxy.deafen();
    const deafAtMs = nowMs();
    await writer.del(["a"]);
    await book.until(holds("b", "c"));
    expect(nowMs() - deafAtMs).toBeLessThan(15_000);
    expect(proxy.lost).toBeGreaterThan(0);
    await writer.put(["d"]);
    await book.until(holds("b", "c", "d"));
    expect(statesOf(book.views)).not.toContain("stale");
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });

  test("4: a network in which every stream goes deaf still has a view that is renewed", async () => {
    await using all = await start({ version });
    const { lab, auditor, writer } = all;
    const proxy = lab.owns(await startDeafProxy(lab.cluster.endpoints[0] ?? ""));
    await writer.put(["a"]);
    proxy.deafen({ laterOnes: true });
    const book = lab.owns(follow([proxy.endpoint]));
    await book.until(holds("a"));
    await writer.put(["b"]);
    await book.until(holds("a", "b"));
    await writer.put(["c"]);
    await book.until(holds("a", "b", "c"));
    proxy.heal();
    await writer.put(["d"]);
    await book.until(holds("a", "b", "c", "d"));
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });
});

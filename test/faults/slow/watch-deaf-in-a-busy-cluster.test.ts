/**
 * A service that does not change, in a cluster that does. Its streams are silent with good reason, and are asked for a report;
 * where none can be trusted (etcd before 3.4.25 and 3.5.8: it may overtake events, issue 15220) the prefix is compared instead,
 * and less often. That is the one fault of a watch for which etcd 3.4.23 has a later bound than 3.5.16.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { startDeafProxy } from "../lab/deaf-proxy.js";
import { expectExact, follow, holds, statesOf } from "../lab/follower.js";
import { nowMs, startLaboratory } from "../lab/laboratory.js";
import { startWriter } from "../lab/writer.js";

describe.concurrent("a quiet service in a busy cluster", () => {
  test.each([
    ["3.4", 45_000],
    ["3.5", 15_000],
  ] as const)(
    "4: of etcd %s: a silent stream is left in peace, and a deaf one noticed within %i ms",
    async (version, boundMs) => {
      await using lab = await startLaboratory({ size: 1, version });
      const auditor = lab.auditor("/services/book/");
      const proxy = lab.owns(await startDeafProxy(lab.cluster.endpoints[0] ?? ""));
      const writer = lab.owns(startWriter(lab.cluster.endpoints));
      await writer.put(["a"]);
      const news: string[] = [];
      const logger = { info: (message: string) => void news.push(message), warn: () => {} };
      const book = lab.owns(follow([proxy.endpoint], { logger }));
      await book.until(holds("a"));
      let over = false;
      const busy = (async () => {
        for (let times = 0; !over; times += 1) {
          await writer.put([`h${times % 10}`], "other");
          await sleep(100);
        }
      })();
      await sleep(20_000); // several checks
      expect(news).toEqual([]);
      proxy.deafen();
      await writer.put(["b"]);
      const writtenAtMs = nowMs();
      await book.until(holds("a", "b"), 60_000);
      expect(nowMs() - writtenAtMs).toBeLessThan(boundMs);
      expect(news.join()).toContain("it did not tell of a change");
      over = true;
      await busy;
      expect(statesOf(book.views)).not.toContain("stale");
      await auditor.caughtUp();
      expectExact(book.views, auditor);
    },
  );
});

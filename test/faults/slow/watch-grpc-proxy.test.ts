/**
 * A watch through etcd's own gRPC proxy, while the member hangs from which the proxy has it. The proxy goes on answering: probes
 * from its cache and reads from the other members. Its watch is deaf, and another one for the same keys is not answered at all.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { expectExact, follow, holds, hosts, statesOf } from "../lab/follower.js";
import { startGrpcProxy } from "../lab/grpc-proxy.js";
import { startLaboratory } from "../lab/laboratory.js";
import { startWriter } from "../lab/writer.js";

// A read may hang as well, for 5 s each time that the proxy gives it to the member that hangs; then it is tried again.
const RENEWED_WITHIN_MS = 60_000;

describe.concurrent("etcd's gRPC proxy", () => {
  test.each(["3.4", "3.5"] as const)(
    "4: of etcd %s, while any one of three members behind it hangs: the view is renewed, and live afterwards",
    async (version) => {
      await using lab = await startLaboratory({ version });
      const auditor = lab.auditor();
      const proxy = lab.owns(await startGrpcProxy(lab.cluster.endpoints, version));
      const all = lab.owns(startWriter(lab.cluster.endpoints));
      await all.put(["steady"]);
      const book = lab.owns(follow([proxy.endpoint]));
      await book.until(holds("steady"));
      for (const member of lab.cluster.members) {
        const others = lab.cluster.endpoints.filter((endpoint) => endpoint !== member.endpoint);
        const writer = lab.owns(startWriter(others));
        member.pause();
        for (const time of ["first", "second"]) {
          const host = `${time}-${member.name}`;
          await writer.put([host]);
          await book.until((view) => hosts(view).includes(host), RENEWED_WITHIN_MS);
        }
        member.resume();
        await all.put([`after-${member.name}`]);
        await book.until((view) => view.state === "live" && hosts(view).includes(`after-${member.name}`));
      }
      expect(statesOf(book.views)).toContain("stale"); // one of the three was the proxy's
      await auditor.caughtUp();
      expectExact(book.views, auditor);
    },
  );

  test("4: that pings its members leaves the one that hangs, and views are live again meanwhile", async () => {
    await using lab = await startLaboratory({ version: "3.5" }); // 3.4 cannot be told to
    const auditor = lab.auditor();
    const pings = ["--dial-keepalive-time=5s", "--dial-keepalive-timeout=3s"];
    const proxy = lab.owns(await startGrpcProxy(lab.cluster.endpoints, "3.5", pings));
    const all = lab.owns(startWriter(lab.cluster.endpoints));
    await all.put(["steady"]);
    const book = lab.owns(follow([proxy.endpoint]));
    await book.until(holds("steady"));
    for (const member of lab.cluster.members) {
      const others = lab.cluster.endpoints.filter((endpoint) => endpoint !== member.endpoint);
      const writer = lab.owns(startWriter(others));
      member.pause();
      const host = `during-${member.name}`;
      await writer.put([host]);
      await book.until((view) => view.state === "live" && hosts(view).includes(host), RENEWED_WITHIN_MS);
      await sleep(2_500); // as long as it takes to be called stale
      await book.until(({ state }) => state === "live", RENEWED_WITHIN_MS);
      member.resume();
    }
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });
});

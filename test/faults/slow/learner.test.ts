/** A member without a vote, as every new one is for a while where operators are careful, in the list of endpoints. */
import { etcd } from "rollcall/etcd";
import { describe, expect, test } from "vitest";
import type { EtcdMember } from "../../support/etcd.js";
import { address, reaches } from "../../support/registrations.js";
import { expectExact, follow, holds } from "../lab/follower.js";
import { startLaboratory, TTL_MS } from "../lab/laboratory.js";
import { promoteMember, replaceMember } from "../lab/replace-member.js";
import { startWriter } from "../lab/writer.js";

describe.concurrent.each(["3.4", "3.5"] as const)("a learner of etcd %s", (version) => {
  test("40: it is passed over, and used from the moment that it has a vote", async () => {
    await using lab = await startLaboratory({ size: 3, version });
    const [learner, second, third] = lab.cluster.members as [EtcdMember, EtcdMember, EtcdMember];
    await learner.kill();
    await replaceMember(second, learner.name, { learner: true });
    await learner.restart({ joining: true });
    const auditor = lab.auditor();
    const writer = lab.owns(startWriter([second.endpoint, third.endpoint]));

    // It is asked first, for every call and every stream.
    const endpoints = lab.cluster.endpoints;
    const registry = lab.owns(etcd({ endpoints, random: () => 0, ttlMs: TTL_MS, logger: false }));
    const registration = await registry.register("book", { address }, { timeoutMs: 5_000 });
    const book = lab.owns(follow(endpoints));
    await book.until(holds("127.0.0.1"), 5_000);
    await writer.put(["a"]);
    await book.until(holds("127.0.0.1", "a"));

    const alone = lab.owns(follow([learner.endpoint]));
    await alone.until(({ state, ...view }) => state === "pending" && "error" in view);
    expect(alone.instancer.current).toMatchObject({
      error: { code: "REGISTRY_UNAVAILABLE", message: expect.stringContaining("rpc not supported for learner") },
    });
    await promoteMember(second, learner.name);
    await alone.until(holds("127.0.0.1", "a"));
    await writer.put(["b"]);
    await Promise.all([alone, book].map((each) => each.until(holds("127.0.0.1", "a", "b"))));

    // Now it counts: with one of the others gone, it is half of the majority.
    await second.kill();
    await writer.put(["c"]);
    await Promise.all([alone, book].map((each) => each.until(holds("127.0.0.1", "a", "b", "c"))));
    await reaches(registration, "registered");
    await auditor.caughtUp();
    for (const each of [alone, book]) expectExact(each.views, auditor);
  });
});

/** An etcd that has used up its quota: it takes no writes until somebody has made room, and renews leases all the while. */
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch } from "rollcall";
import { etcd } from "rollcall/etcd";
import { describe, expect, test } from "vitest";
import { address, eventually, key, stored } from "../support/registrations.js";
import { follow, holds } from "./lab/follower.js";
import { type Laboratory, startLaboratory, TTL_MS } from "./lab/laboratory.js";
import { startWriter } from "./lab/writer.js";

const QUOTA_MEGABYTES = 16;

async function fillUp(lab: Laboratory): Promise<void> {
  await using writer = startWriter(lab.cluster.endpoints);
  await expect(writer.fill(2 * QUOTA_MEGABYTES)).rejects.toMatchObject({ kind: "no-space" });
  expect(await lab.cluster.etcdctl("alarm", "list")).toContain("NOSPACE");
}

/** What an operator does about it. */
async function makeRoom({ cluster }: Laboratory): Promise<void> {
  const fields = await cluster.etcdctl("get", "x", "-w", "fields");
  await cluster.etcdctl("compact", /"Revision" : (\d+)/.exec(fields)?.[1] ?? "");
  await cluster.etcdctl("defrag");
  await cluster.etcdctl("alarm", "disarm");
}

describe.concurrent.each(["3.4", "3.5"] as const)("an etcd %s that is full", (version) => {
  test("36: what is registered stays, new things are refused with the remedy, and all is well when there is room", async () => {
    await using lab = await startLaboratory({
      size: 1,
      version,
      args: ["--quota-backend-bytes", String(QUOTA_MEGABYTES * 1_024 * 1_024)],
    });
    const warnings: string[] = [];
    const logger = { warn: (message: string) => void warnings.push(message), info: () => {} };
    const registry = lab.owns(etcd({ endpoints: lab.cluster.endpoints, ttlMs: TTL_MS, logger }));
    const registration = await registry.register("book", { address });
    const view = lab.owns(follow(lab.cluster.endpoints));
    await view.until(holds("127.0.0.1"));
    const before = await stored(lab.cluster);
    const full = { code: "REGISTRY_FAILED", message: expect.stringMatching(/space exceeded.*compact.*alarm disarm/) };

    await fillUp(lab);
    await sleep(TTL_MS + 2_500); // longer than etcd would keep what it does not hear of
    expect(await stored(lab.cluster)).toEqual(before);
    expect(registration.current).toEqual({ state: "registered" });
    expect(view.instancer.current.state).toBe("live");
    await expect(registry.register("book", { address: "127.0.0.1:50052" })).rejects.toMatchObject(full);
    await expect(registration.update({ zone: "a" })).rejects.toMatchObject(full);
    expect(registration.instance).toMatchObject({ address });
    expect(registration.instance.zone).toBeUndefined();
    expect(await stored(lab.cluster)).toEqual(before);
    expect(registration.current).toEqual({ state: "registered" });

    // It still deletes, and what it deletes now cannot be put back.
    warnings.splice(0);
    await lab.cluster.etcdctl("del", key);
    const isFull = ({ state, reason = "" }: typeof registration.current) =>
      state === "lost" && reason.includes("alarm disarm");
    await firstMatch(registration, isFull, AbortSignal.timeout(30_000));
    expect(warnings).toHaveLength(2); // lost, and why it is not registered again

    await makeRoom(lab);
    await eventually(
      () => stored(lab.cluster),
      (entry) => entry?.lease === before?.lease,
    );
    await view.until(holds("127.0.0.1"));
    await registration.update({ zone: "a" });
    expect((await stored(lab.cluster))?.value).toContain('"zone":"a"');
    await registry.register("book", { address: "127.0.0.1:50052" });
  });
});

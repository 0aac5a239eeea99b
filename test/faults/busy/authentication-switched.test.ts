/** Authentication that is switched on and off under a program that goes on. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { book } from "../../support/etcd-users.js";
import { TTL_MS } from "../lab/laboratory.js";
import { startWithUsers } from "../lab/with-users.js";

const versions = ["3.4", "3.5"] as const;

describe.concurrent.each(versions)("27: authentication switched in etcd %s at run time", (version) => {
  test("27: on and off again is not noticed with a user and a password", async () => {
    await using at = await startWithUsers({ version });
    const { registration, disturbances, sees } = await at.join(book);
    const leaseId = registration.lease?.id;
    for (const round of [1, 2]) {
      await at.enable();
      await sees(`on-${round}`);
      at.proxy.cut();
      await sees(`on-and-cut-${round}`);
      await at.disable();
      await sees(`off-${round}`);
      at.proxy.cut();
      await sees(`off-and-cut-${round}`);
    }
    expect(disturbances).toEqual([]);
    expect((await at.storedNow())?.lease).toBe(leaseId);
  });

  test("27: without a password it is said what is missing, and all is well when it is off again", async () => {
    await using at = await startWithUsers({ version });
    const { registry, registration, view, warnings, reaches, shows, sees } = await at.join({});
    const leaseId = registration.lease?.id;
    await sees("by-the-watch");
    await at.enable();
    await sees("by-the-watch-that-was-open");
    at.proxy.cut();
    const asksForUser = expect.stringContaining("give `user` and `password`");
    expect(await shows(({ state }) => state === "stale")).toMatchObject({
      error: { code: "REGISTRY_DENIED", message: asksForUser },
    });
    expect(view.current).toMatchObject({ instances: { length: 3 } });
    await expect(registry.register("book", { address: "127.0.0.1:50052" })).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
      message: asksForUser,
    });
    await sleep(TTL_MS + 2_500); // longer than etcd would keep what it does not hear of
    expect(registration.current).toEqual({ state: "registered" });
    expect((await at.storedNow())?.lease).toBe(leaseId);
    expect(warnings.filter((warning) => warning.includes("cannot be watched over"))).toEqual([asksForUser]);
    await at.disable();
    await sees("when-off-again");
    await reaches("registered");
    expect(registration.lease?.id).toBe(leaseId);
  });
});

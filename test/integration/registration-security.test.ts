/** Registrations in an etcd that asks who is there, and does not allow everything. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { firstMatch } from "../../src/live.js";
import { type EtcdMember, startEtcd } from "../support/etcd.js";
import { address, key, reaches, registryAt, stored } from "../support/registrations.js";

describe.each(["3.4", "3.5"] as const)("a registration in etcd %s with authentication", (version) => {
  let member: EtcdMember;
  const book = { user: "book", password: "pages" };
  const asRoot = (...args: readonly string[]) => member.etcdctl("--user=root:secret", ...args);
  const readwrite = ["role", "grant-permission", "book", "--prefix=true", "readwrite", "/services/book/"];
  const storedAsRoot = () => stored({ etcdctl: asRoot });
  beforeAll(async () => {
    member = await startEtcd({ version });
    await member.etcdctl("user", "add", "root:secret");
    await member.etcdctl("user", "grant-role", "root", "root");
    await member.etcdctl("role", "add", "book");
    await member.etcdctl(...readwrite);
    await member.etcdctl("user", "add", `${book.user}:${book.password}`);
    await member.etcdctl("user", "grant-role", "book", "book");
    await member.etcdctl("auth", "enable");
  });
  afterAll(() => member.stop());

  it("says that its permission is missing, and comes back with it", async () => {
    const registration = await registryAt([member.endpoint], { ...book, ttlMs: 3_000 }).register("book", { address });
    await asRoot("role", "revoke-permission", "book", "--prefix=true", "/services/book/");
    await asRoot("del", key);
    await firstMatch(
      registration,
      ({ state, reason = "" }) => state === "lost" && reason.includes("permission denied"),
      AbortSignal.timeout(15_000),
    );
    await asRoot(...readwrite);
    await reaches(registration, "registered");
    expect((await storedAsRoot())?.lease).toBe(registration.lease?.id);
  });

  it("is refused at once, with the remedy, without permission", async () => {
    const registering = registryAt([member.endpoint], book).register("other", { address });
    await expect(registering).rejects.toMatchObject({
      code: "REGISTRY_DENIED",
      message: expect.stringMatching(/permission denied.*etcdctl user get/),
    });
    expect(await asRoot("get", "--prefix", "/services/other/")).toBe("");
  });
});

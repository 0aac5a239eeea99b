/** Tokens that end and passwords that change under a program that goes on. */
import { generateKeyPairSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { book } from "../../support/etcd-users.js";
import { mountSecret } from "../../support/mounted-secret.js";
import { address, eventually, hex, key } from "../../support/registrations.js";
import { TTL_MS } from "../lab/laboratory.js";
import { startWithUsers } from "../lab/with-users.js";

const versions = ["3.4", "3.5"] as const;

describe.concurrent.each(versions)("26: tokens that etcd %s takes no more", (version) => {
  test("26: invalidated tokens are renewed for calls and streams, one request for all of them", async () => {
    await using at = await startWithUsers({ version });
    await at.enable();
    const { registration, disturbances, sees } = await at.join(book);
    const leaseId = registration.lease?.id;
    const before = await at.logins();
    for (const round of [1, 2, 3]) {
      await at.setPassword(book.password);
      at.proxy.cut(); // every stream is opened anew
      await sees(`round-${round}`);
    }
    expect(disturbances).toEqual([]);
    expect((await at.storedNow())?.lease).toBe(leaseId);
    expect((await at.logins()) - before).toBeLessThanOrEqual(6);
  });

  test("26: a token that expired while etcd was out of reach costs no lease, no event and no later change", async () => {
    await using at = await startWithUsers({ version, args: ["--auth-token-ttl", "2"] });
    await at.enable();
    const { registration, disturbances, reaches, sees } = await at.join({ ...book, ttlMs: 15_000 });
    const leaseId = registration.lease?.id;
    const before = await at.logins();
    await at.proxy.set("refuse");
    await at.asRoot("put", "/services/book/meanwhile:1", "meanwhile:1");
    await sleep(5_000);
    await at.proxy.set("pass");
    await sees("afterwards");
    expect(disturbances).toEqual([]);
    expect((await at.storedNow())?.lease).toBe(leaseId);
    expect((await at.logins()) - before).toBeLessThanOrEqual(4);
    await at.asRoot("del", key);
    await eventually(at.storedNow, (entry) => entry?.lease === leaseId);
    await at.asRoot("lease", "revoke", hex(leaseId ?? 0n));
    await eventually(at.storedNow, (entry) => entry !== undefined && entry.lease !== leaseId);
    await reaches("registered");
    await sleep(3_000); // the token expires once more
    await registration.update({ zone: "a" });
    await registration.close();
    expect(await at.storedNow()).toBeUndefined();
  });

  test("26: a JWT out of its time, or older than the user database, is renewed", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
    });
    await using keys = await mountSecret({ private: privateKey, public: publicKey });
    const files = `pub-key=${keys.file("public")},priv-key=${keys.file("private")}`;
    await using at = await startWithUsers({ version, args: ["--auth-token", `jwt,${files},sign-method=RS256,ttl=3s`] });
    await at.enable();
    const { registration, disturbances, sees } = await at.join(book);
    const leaseId = registration.lease?.id;
    const before = await at.logins();
    await sleep(4_000);
    at.proxy.cut();
    await sees("out-of-time");
    for (const user of ["anna", "berta", "clara"]) {
      await at.asRoot("user", "add", `${user}:x`);
      at.proxy.cut();
      await sees(user);
    }
    expect(disturbances).toEqual([]);
    expect((await at.storedNow())?.lease).toBe(leaseId);
    expect((await at.logins()) - before).toBeLessThanOrEqual(10);
  });
});

describe.concurrent.each(versions)("26: a password changed in etcd %s", (version) => {
  test("26: a password from a function is taken up unnoticed", async () => {
    await using at = await startWithUsers({ version });
    await at.enable();
    let password = book.password;
    const { registration, disturbances, sees } = await at.join({ user: book.user, password: async () => password });
    const leaseId = registration.lease?.id;
    password = "other";
    await at.setPassword(password);
    at.proxy.cut();
    await sees("with-the-new-password");
    expect(disturbances).toEqual([]);
    expect((await at.storedNow())?.lease).toBe(leaseId);
  });

  test("26: with a wrong one the lease lives on, the view is stale and says why, and etcd is seldom asked", async () => {
    await using at = await startWithUsers({ version });
    await at.enable();
    const { registration, registry, reaches, shows, sees } = await at.join(book);
    for (let watches = 1; watches < 20; watches += 1) registry.instancer(`other-${watches}`);
    const leaseId = registration.lease?.id;
    await at.setPassword("something else");
    at.proxy.cut();
    const stale = await shows(({ state }) => state === "stale");
    expect(stale).toMatchObject({
      instances: [{ address }],
      error: { code: "REGISTRY_DENIED", message: expect.stringMatching(/authentication failed.*check `user` and/) },
    });
    at.proxy.cut(); // the lease's stream is opened anew as well, by a client that is refused
    const before = await at.logins();
    await sleep(TTL_MS + 2_500); // longer than etcd would keep what it does not hear of
    expect((await at.logins()) - before).toBeLessThanOrEqual(10);
    expect((await at.storedNow())?.lease).toBe(leaseId);
    await at.setPassword(book.password);
    await sees("with-the-right-password");
    await reaches("registered");
    expect(registration.lease?.id).toBe(leaseId);
  });
});

/** Registrations in an etcd that is well. What operators and others do to their keys is in `test/faults/`. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type EtcdMember, startEtcd } from "../support/etcd.js";
import { address, hex, key, registryAt, statesOf, stored } from "../support/registrations.js";

describe("a registration in etcd", () => {
  let member: EtcdMember;
  beforeAll(async () => {
    member = await startEtcd();
  });
  afterAll(() => member.stop());
  beforeEach(() => member.etcdctl("del", "--prefix", "/services/"));

  it("writes exactly the tutorial's key and value, on a lease", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    const entry = await stored(member);
    expect(entry?.value).toBe(address);
    expect(entry?.lease).toBe(registration.lease?.id);
    expect(registration.lease?.id).not.toBe(0n);
    expect(registration.instance).toEqual({ id: key, address });
    expect(registration.current).toEqual({ state: "registered" });
    expect(registration.lease?.ttlMs).toBe(10_000);
    expect(JSON.parse(await member.etcdctl("get", "--prefix", "", "--keys-only", "-w", "json")).count).toBe(1);
  });

  it("rounds the TTL up to whole seconds and believes the one that etcd granted", async () => {
    const registry = registryAt([member.endpoint], { ttlMs: 4_200 });
    expect((await registry.register("book", { address })).lease?.ttlMs).toBe(5_000);
    const short = registryAt([member.endpoint], { ttlMs: 1_000 });
    expect((await short.register("book", { address: "127.0.0.1:50052" })).lease?.ttlMs).toBe(2_000);
  });

  it("takes the key over from a predecessor that died without a word", async () => {
    const [, dead = ""] = /lease (\w+) granted/.exec(await member.etcdctl("lease", "grant", "600")) ?? [];
    await member.etcdctl("put", key, address, `--lease=${dead}`);
    const start = performance.now();
    const registration = await registryAt([member.endpoint]).register("book", { address });
    expect(performance.now() - start).toBeLessThan(8_000);
    expect((await stored(member))?.lease).toBe(registration.lease?.id);
    // The lease that we did not grant is left alone, and its end does not take our key with it.
    expect(await member.etcdctl("lease", "list")).toContain(dead);
    await member.etcdctl("lease", "revoke", dead);
    expect((await stored(member))?.lease).toBe(registration.lease?.id);
  });

  it("updates in place, on the same lease, and is not lost meanwhile", async () => {
    const warnings: string[] = [];
    const logger = { info: () => {}, warn: (message: string) => void warnings.push(message) };
    const registration = await registryAt([member.endpoint], { logger }).register("book", { address });
    const states = statesOf(registration);
    const before = registration.lease?.id;
    await registration.update({ weight: 3, zone: "a" });
    const entry = await stored(member);
    expect(JSON.parse(entry?.value ?? "")).toMatchObject({ Addr: address });
    expect(entry?.lease).toBe(before);
    expect(registration.instance).toMatchObject({ address, weight: 3, zone: "a" });
    await registration.update({ weight: 4 });
    await registration.update({});
    expect((await stored(member))?.value).toBe(address);
    expect(states).toEqual(["registered"]);
    expect(warnings.filter((warning) => warning.includes("go-kit"))).toHaveLength(1);
    await expect(registration.update({ weight: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is gone from etcd, lease and all, at close(), long before its TTL ends", async () => {
    const registry = registryAt([member.endpoint]);
    const registration = await registry.register("book", { address });
    const states = statesOf(registration);
    const start = performance.now();
    await registry.close();
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(await stored(member)).toBeUndefined();
    expect(await member.etcdctl("lease", "list")).not.toContain(hex(registration.lease?.id ?? 0n));
    expect(states).toEqual(["registered", "draining", "closed"]);
    await registry.close();
    await registration.close();
    await expect(registration.update({})).rejects.toMatchObject({ code: "CLOSED" });
    await expect(registry.register("book", { address })).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("keeps many registrations apart, each on a lease of its own", async () => {
    const registry = registryAt([member.endpoint], { ttlMs: 3_000 });
    const ports = Array.from({ length: 20 }, (_, index) => 51_000 + index);
    const registrations = await Promise.all(
      ports.map((port) => registry.register("book", { address: `127.0.0.1:${port}` })),
    );
    expect(new Set(registrations.map(({ lease }) => lease?.id)).size).toBe(20);
    await registrations[0]?.close();
    await sleep(7_000); // more than two TTLs
    const left = await member.etcdctl("get", "--prefix", "/services/book/", "--keys-only");
    expect(left.match(/127\.0\.0\.1:51\d\d\d/g)).toHaveLength(19);
    expect(registrations.slice(1).every(({ current }) => current.state === "registered")).toBe(true);
  });

  it.each([
    ["", address],
    ["a/b", address],
    ["a b", address],
    ["book", "127.0.0.1"],
    ["book", "127.0.0.1:0"],
    ["book", "0.0.0.0:50051"],
    ["book", "[::]:50051"],
    ["book", "http://127.0.0.1:80"],
  ])("refuses service %j at %j and writes nothing", async (service, where) => {
    const registry = registryAt([member.endpoint]);
    await expect(registry.register(service, { address: where })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await member.etcdctl("get", "--prefix", "/services/")).toBe("");
  });
});

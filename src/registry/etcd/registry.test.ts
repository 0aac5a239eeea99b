import { describe, expect, it } from "vitest";
import { goKitLayout } from "../layouts/go-kit.js";
import { type EtcdOptions, etcd } from "./registry.js";

const endpoints = ["127.0.0.1:2379"];

describe("etcd()", () => {
  it.each<[string, object, RegExp]>([
    ["an option that it does not have", { endpoints, hosts: [] }, /no option `hosts`; it has endpoints, /],
    [
      "a prefix that the layout would not see",
      { endpoints, prefix: "/a/", layout: goKitLayout() },
      /prefix to the layout/,
    ],
    ["a prefix without its last slash", { endpoints, prefix: "/a" }, /write "\/a\/"/],
    ["a TTL of nothing", { endpoints, ttlMs: 0 }, /`ttlMs` is 0/],
    ["no endpoints", { endpoints: [] }, /endpoint/],
    ["endpoints that are no list", { endpoints: "127.0.0.1:2379" }, /`endpoints` is not a list/],
    ["a snapshot that is no object", { endpoints, snapshot: false }, /snapshot takes an object of options, not false/],
    ["a brake that is no object", { endpoints, massDeletionBrake: null }, /massDeletionBrake takes an object/],
    ["a misspelt option of TLS", { endpoints, tls: { cafile: "ca.pem" } }, /tls has no option `cafile`; it has ca, /],
    ["pings that etcd would punish", { endpoints, keepAliveMs: 3_000 }, /5000 ms/],
  ])("refuses %s, and says what to do", (_, options, message) => {
    expect(() => etcd(options as EtcdOptions)).toThrow(message);
    expect(() => etcd(options as EtcdOptions)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("connects to nothing before it is used, and closes twice", async () => {
    const registry = etcd({ endpoints: ["192.0.2.1:2379"] });
    await expect(registry.register("book", { address: "10.0.0.1:80" }, { timeoutMs: 0 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await registry.close();
    await registry.close();
  });
});

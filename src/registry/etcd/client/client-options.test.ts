import { expect, it } from "vitest";
import { RollcallError } from "../../../errors.js";
import { type EtcdClientOptions, planClient } from "./client-options.js";

const endpoints = ["127.0.0.1:2379"];
const plan = (options: Partial<EtcdClientOptions>) => () => planClient({ endpoints, ...options });

it.each<[Partial<EtcdClientOptions>, RegExp]>([
  [{ keepAliveMs: 3_000 }, /`keepAliveMs` is 3000.*5000 ms that etcd allows.*too_many_pings/],
  [{ dialTimeoutMs: 0 }, /`dialTimeoutMs` is 0/],
  [{ timeoutMs: Number.NaN }, /`timeoutMs` is NaN/],
  [{ user: "root" }, /`user` is given without `password`/],
  [{ password: "secret" }, /`password` is given without `user`/],
  [{ tls: { cert: "a certificate" } }, /`tls.cert` and `tls.key` go together/],
  [
    { tls: { ca: "/etc/ssl/ca.pem", cert: "cert.pem", key: "key.pem" } },
    /`tls.ca` is not PEM; give PEM text, or .* as `tls.caFile`/,
  ],
  [{ endpoints: ["10.0.0.1"] }, /no port/],
])("refuses %j with the remedy", (options, message) => {
  expect(plan(options)).toThrow(message);
  expect(plan(options)).toThrow(RollcallError);
});

it("takes the least keep-alive that etcd allows, and is right without any option", () => {
  expect(plan({ keepAliveMs: 5_000 })().connection.keepAliveMs).toBe(5_000);
  expect(plan({})()).toMatchObject({ timeoutMs: 5_000, connection: { keepAliveMs: 10_000, dialTimeoutMs: 3_000 } });
});

it("never shows the password in an error", () => {
  expect(plan({ password: "s3cret" })).not.toThrow(/s3cret/);
});

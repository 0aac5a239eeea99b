import { describe, expect, it } from "vitest";
import { RollcallError } from "../../../errors.js";
import { parseEndpoints } from "./endpoint-list.js";

describe("parseEndpoints", () => {
  it("takes what a user and ETCDCTL_ENDPOINTS write, without repetition", () => {
    const endpoints = ["10.0.0.1:2379", " etcd-2.example:2379 ", "[::1]:2379", "10.0.0.1:2379"];
    expect(parseEndpoints(endpoints, false)).toEqual({
      targets: ["10.0.0.1:2379", "etcd-2.example:2379", "[::1]:2379"],
      secure: false,
    });
    expect(parseEndpoints(["http://localhost:2379/"], false)).toEqual({ targets: ["localhost:2379"], secure: false });
  });

  it("uses TLS for all members when one is https:// or the option is given", () => {
    expect(parseEndpoints(["https://a:2379", "b:2379"], false)).toEqual({
      targets: ["a:2379", "b:2379"],
      secure: true,
    });
    expect(parseEndpoints(["a:2379"], true).secure).toBe(true);
  });

  it("refuses to mix plain text and TLS", () => {
    expect(() => parseEndpoints(["https://a:2379", "http://b:2379"], false)).toThrow(/http:\/\/b:2379.*plain text/);
    expect(() => parseEndpoints(["http://b:2379"], true)).toThrow(/`tls` is given/);
  });

  it.each([
    ["", /not an etcd endpoint/],
    ["10.0.0.1", /no port.*10\.0\.0\.1:2379/],
    ["https://10.0.0.1", /no port/],
    ["10.0.0.1:0", /impossible port/],
    ["10.0.0.1:99999", /impossible port/],
    ["::1:2379", /not an etcd endpoint/],
    ["etcd://10.0.0.1:2379", /not an etcd endpoint/],
    ["unix:///run/etcd.sock", /not an etcd endpoint/],
    ["https://10.0.0.1:2379/v3", /not an etcd endpoint/],
    ["https://user:secret@10.0.0.1:2379", /not an etcd endpoint/],
    ["10.0.0.1:2379,10.0.0.2:2379", /not an etcd endpoint/],
  ])("refuses %j and says how to write it", (endpoint, message) => {
    expect(() => parseEndpoints([endpoint], false)).toThrow(message);
    expect(() => parseEndpoints([endpoint], false)).toThrow(RollcallError);
  });

  it("refuses an empty list", () => {
    expect(() => parseEndpoints([], false)).toThrow(/`endpoints` is empty/);
  });
});

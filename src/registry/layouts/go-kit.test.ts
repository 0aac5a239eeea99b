import { describe, expect, it } from "vitest";
import type { NewInstance } from "../../instance.js";
import { goKitLayout } from "./go-kit.js";

const layout = goKitLayout();
const key = "/services/book/10.0.0.1:50051";
const bytes = (value: string) => new TextEncoder().encode(value);
const decode = (value: string) => layout.decode(key, bytes(value));

function written(instance: NewInstance): readonly (readonly [string, string])[] {
  return layout
    .encode("book", instance, 1n)
    .map((entry) => [entry.key, new TextDecoder().decode(entry.value)] as const);
}

describe("the go-kit layout", () => {
  it("writes an instance without attributes as exactly the tutorial's key and value", () => {
    expect(written({ address: "10.0.0.1:50051" })).toEqual([[key, "10.0.0.1:50051"]]);
    expect(written({ address: "10.0.0.1:50051", metadata: {} })).toEqual([[key, "10.0.0.1:50051"]]);
  });

  it("writes an instance with attributes as grpc-naming JSON under the same key", () => {
    const instance = { address: "10.0.0.1:50051", zone: "a", weight: 2, version: "v1", metadata: { team: "x" } };
    expect(written(instance)).toEqual([
      [key, '{"Op":0,"Addr":"10.0.0.1:50051","Metadata":{"team":"x","version":"v1","weight":2,"zone":"a"}}'],
    ]);
  });

  it.each<NewInstance>([
    { address: "10.0.0.1:50051" },
    { address: "[2001:db8::1]:80", weight: 0.5 },
    { address: "book.internal:443", protocol: "https", draining: true },
    { address: "10.0.0.1:50051", zone: "a", version: "2", metadata: { team: "x", __proto__x: "y" } },
  ])("reads back what it writes: $address", (instance) => {
    const [entry] = layout.encode("book", instance, 1n);
    expect(layout.decode(entry?.key ?? "", entry?.value ?? bytes(""))).toEqual([{ id: entry?.key, ...instance }]);
  });

  it.each([
    ["10.0.0.1:50051", { address: "10.0.0.1:50051" }],
    ["http://10.0.0.1:8080", { address: "10.0.0.1:8080", protocol: "http" }],
    ["[::1]:50051", { address: "[::1]:50051" }],
    ['{"Op":0,"Addr":"10.0.0.1:1","Metadata":null}', { address: "10.0.0.1:1" }],
    ['{"Addr":"10.0.0.1:1"}', { address: "10.0.0.1:1" }],
    ['{"Addr":"10.0.0.1:1","Metadata":{"weight":"10"}}', { address: "10.0.0.1:1", weight: 10 }],
    [
      '{"Metadata":{"build":7,"canary":true,"labels":{"a":1},"none":null},"Addr":"10.0.0.1:1","Op":1}',
      { address: "10.0.0.1:1", metadata: { build: "7", canary: "true", labels: '{"a":1}' } },
    ],
    ['{"Addr":"10.0.0.1:1","Metadata":"blue"}', { address: "10.0.0.1:1", metadata: { metadata: "blue" } }],
  ])("reads %s", (value, instance) => {
    expect(decode(value)).toEqual([{ id: key, ...instance }]);
  });

  it.each([
    ["", /port/],
    ["10.0.0.1", /port/],
    ["10.0.0.1:0", /port/],
    ["10.0.0.1:65536", /port/],
    ["10.0.0.1:80/path", /port/],
    ["10.0.0.1:80\n", /port/],
    [":80", /host/],
    ["::1:80", /host/],
    ["[::g]:80", /host/],
    ["999.0.0.1:80", /host/],
    ["a b:80", /host/],
    ["{", /JSON/],
    ['{"Name":"x"}', /Addr/],
    ['{"Addr":"10.0.0.1"}', /port/],
    ['{"Addr":"10.0.0.1:1","Metadata":{"weight":0}}', /weight/],
    ['{"Addr":"10.0.0.1:1","Metadata":{"weight":"heavy"}}', /weight/],
    ['{"Addr":"10.0.0.1:1","Metadata":{"weight":1e999}}', /weight/],
  ])("skips %j with a reason", (value, reason) => {
    expect(decode(value)).toEqual({ skip: expect.stringMatching(reason) });
  });

  it("skips bytes that are no text", () => {
    expect(layout.decode(key, Uint8Array.of(0xff, 0xfe))).toEqual({ skip: expect.stringContaining("UTF-8") });
  });

  it("keeps metadata named like a part of every object as plain metadata", () => {
    const decoded = decode('{"Addr":"10.0.0.1:1","Metadata":{"__proto__":"x"}}');
    const metadata = "skip" in decoded ? {} : (decoded[0]?.metadata ?? {});
    expect(Object.entries(metadata)).toEqual([["__proto__", "x"]]);
  });

  it.each<[NewInstance, RegExp]>([
    [{ address: "10.0.0.1" }, /port/],
    [{ address: "http://10.0.0.1:80" }, /scheme/],
    [{ address: "10.0.0.1:80", weight: -1 }, /weight/],
    [{ address: "10.0.0.1:80", weight: Number.NaN }, /weight/],
    [{ address: "10.0.0.1:80", metadata: { zone: "a" } }, /"zone"/],
  ])("refuses to write %j", (instance, reason) => {
    expect(() => layout.encode("book", instance, 1n)).toThrow(reason);
  });

  it("keeps services apart whose names begin alike", () => {
    expect(layout.prefix("book")).toBe("/services/book/");
    expect("/services/bookstore/10.0.0.1:1".startsWith(layout.prefix("book"))).toBe(false);
  });

  it.each(["", "a/b"])("refuses the service name %j", (service) => {
    expect(() => layout.prefix(service)).toThrow(/service/);
  });

  it("takes another prefix, which must end in a slash", () => {
    expect(goKitLayout({ prefix: "/prod/" }).prefix("book")).toBe("/prod/book/");
    expect(() => goKitLayout({ prefix: "/prod" })).toThrow('write "/prod/"');
  });
});

import { expect, test } from "vitest";
import { byId, sameInstance } from "./instance.js";

const instance = { id: "a", address: "h:1", weight: 2, metadata: { x: "1", y: "2" } };

test("instances are the same when they say the same, in whatever order", () => {
  expect(sameInstance(instance, { ...instance, metadata: { y: "2", x: "1" } })).toBe(true);
  expect(sameInstance({ id: "a", address: "h:1" }, { id: "a", address: "h:1", metadata: {} })).toBe(true);
});

test.each([
  { weight: 3 },
  { zone: "z" },
  { version: "2" },
  { protocol: "http" },
  { draining: true },
  { address: "h:2" },
  { id: "b" },
  { metadata: { x: "1" } },
  { metadata: { x: "1", y: "3" } },
  { metadata: { x: "1", z: "2" } },
])("an instance that differs in %o is another", (change) => {
  expect(sameInstance(instance, { ...instance, ...change })).toBe(false);
});

test("views are sorted by code units, not by a locale", () => {
  const ids = ["b", "a", "B", "ä"].map((id) => ({ id }));
  expect(ids.sort(byId).map(({ id }) => id)).toEqual(["B", "a", "b", "ä"]);
});

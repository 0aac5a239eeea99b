import { expect, it } from "vitest";
import type { Membership } from "../index.js";
import { painter } from "./table.js";
import { viewJson, viewText } from "./view.js";

const at = new Date("2026-11-23T12:00:00.000Z");
const view = (retained: readonly string[]): Membership => ({
  state: "live",
  instances: [{ id: "/services/book/a:1", address: "a:1" }],
  retained: retained.map((address) => ({ id: `/services/book/${address}`, address })),
  revision: 12n,
  epoch: 0,
});

it("has no word of retained instances where there are none", () => {
  expect(JSON.parse(viewJson(view([]), at))).toEqual({
    state: "live",
    revision: "12",
    instances: [{ id: "/services/book/a:1", address: "a:1" }],
    at: "2026-11-23T12:00:00.000Z",
  });
  expect(viewText(view([]), "book", at, painter(false, {}))).not.toContain("retained");
});

it("says why a view is stale or pending", () => {
  const error = new Error("no etcd member answers");
  const known = { instances: [], retained: [], revision: 12n, epoch: 0 };
  const stale: Membership = { ...known, state: "stale", error, sinceEpochMs: 0 };
  expect(JSON.parse(viewJson(stale, at))).toMatchObject({ state: "stale", error: "no etcd member answers" });
  expect(JSON.parse(viewJson({ state: "pending", error }, at))).toMatchObject({ revision: null, error: error.message });
  expect(JSON.parse(viewJson({ state: "pending" }, at))).not.toHaveProperty("error");
});

it("shows retained instances apart from the others", () => {
  expect(JSON.parse(viewJson(view(["b:1"]), at))).toMatchObject({
    instances: [{ address: "a:1" }],
    retained: [{ id: "/services/book/b:1", address: "b:1" }],
  });
  const [headline, , first, second] = viewText(view(["b:1"]), "book", at, painter(false, {})).split("\n");
  expect(headline).toMatch(/book {2}live at revision 12: 1 instance, 1 retained after a mass deletion$/);
  expect(first).toMatch(/a:1 .*\/services\/book\/a:1/);
  expect(second).toMatch(/b:1 +retained +\/services\/book\/b:1/);
});

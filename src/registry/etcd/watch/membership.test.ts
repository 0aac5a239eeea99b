import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byId, type Instance } from "../../../instance.js";
import { goKitLayout } from "../../layouts/go-kit.js";
import type { Layout } from "../../layouts/layout.js";
import { MembershipTable } from "./membership.js";
import type { Change, Entry } from "./position.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const entry = (host: string, modRevision: bigint, value = `${host}:1`): Entry => ({
  key: `/services/book/${host}:1`,
  value: bytes(value),
  modRevision,
  lease: 7n,
});
const addresses = (table: MembershipTable) => table.instances().map(({ address }) => address);

/** The go-kit layout, and how many values it has decoded. */
function countingLayout(): Layout & { readonly decoded: number } {
  const layout = goKitLayout();
  let decoded = 0;
  return {
    ...layout,
    decode(key, value) {
      decoded += 1;
      return layout.decode(key, value);
    },
    get decoded() {
      return decoded;
    },
  };
}

describe("the membership table", () => {
  it("decodes one value for one change, and copies the others as they are", () => {
    const layout = countingLayout();
    const table = new MembershipTable(layout);
    const hosts = Array.from({ length: 1_000 }, (_, index) => `h${String(index).padStart(4, "0")}`);
    table.replace(
      hosts.map((host) => entry(host, 1n)),
      0,
    );
    const before = table.instances();
    table.apply([entry("h0500", 2n, "other:1")]);
    const after = table.instances();
    expect(layout.decoded).toBe(1_001);
    expect(after.filter((instance, index) => instance !== before[index]).map(({ id }) => id)).toEqual([
      "/services/book/h0500:1",
    ]);
  });

  it("decodes only what changed when it is listed again in the same epoch, and all of it in another", () => {
    const layout = countingLayout();
    const table = new MembershipTable(layout);
    table.replace([entry("a", 1n), entry("b", 1n)], 0);
    table.replace([entry("a", 1n), entry("b", 5n, "c:1")], 0);
    expect(layout.decoded).toBe(3);
    table.replace([entry("a", 1n, "d:1"), entry("b", 5n)], 1);
    expect(addresses(table)).toEqual(["d:1", "b:1"]);
  });

  it("keeps its very array while its content is the same", () => {
    const table = new MembershipTable(goKitLayout());
    table.replace([entry("a", 1n), entry("b", 1n)], 0);
    const before = table.instances();
    table.apply([entry("a", 2n), { key: entry("b", 3n).key, modRevision: 3n }, entry("b", 4n)]);
    expect(table.instances()).toBe(before);
    table.replace([entry("b", 9n), entry("a", 9n)], 1);
    expect(table.instances()).toBe(before);
  });

  it("has for a landmark what was put last under a lease, if anything has one", () => {
    const table = new MembershipTable(goKitLayout());
    expect(table.landmark).toBeUndefined();
    table.replace(
      [
        { ...entry("a", 9n), lease: 0n },
        { ...entry("b", 8n), lease: 0n },
      ],
      0,
    );
    expect(table.landmark).toMatchObject({ key: "/services/book/a:1", modRevision: 9n });
    table.apply([entry("c", 10n), entry("d", 11n, "poison"), { ...entry("e", 12n), lease: 0n }]);
    expect(table.landmark).toMatchObject({ key: "/services/book/d:1", modRevision: 11n, lease: 7n });
  });

  it("is contradicted by what it would know, and does not", () => {
    const table = new MembershipTable(goKitLayout());
    table.replace([entry("a", 5n), entry("b", 8n)], 0);
    const isContradictedBy = (...entries: Entry[]) => table.isContradictedBy(entries, 10n);
    expect(isContradictedBy(entry("a", 5n), entry("c", 11n))).toBe(false);
    expect(isContradictedBy(entry("a", 6n))).toBe(true);
    expect(isContradictedBy({ ...entry("a", 5n), lease: 6n })).toBe(true);
    expect(isContradictedBy(entry("c", 10n))).toBe(true);
  });

  it("forgets a skipped key when it goes", () => {
    const table = new MembershipTable(goKitLayout());
    table.replace([entry("a", 1n, "poison"), entry("b", 1n, "poison")], 0);
    table.apply([{ key: entry("a", 2n).key, modRevision: 2n }]);
    expect([...table.skipped.keys()]).toEqual(["/services/book/b:1"]);
    table.replace([], 0);
    expect(table.skipped.size).toBe(0);
  });

  it("equals a plain map after any sequence of changes, lists and reads", () => {
    const host = fc.constantFrom("a", "b", "c", "d", "e");
    const value = fc.constantFrom("x:1", "y:1", "poison", undefined);
    const batch = fc.array(fc.tuple(host, value), { maxLength: 6 });
    const step = fc.record({ list: fc.boolean(), epochUp: fc.boolean(), read: fc.boolean(), batch });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const table = new MembershipTable(goKitLayout());
        const model = new Map<string, Entry>();
        let revision = 0n;
        let epoch = 0;
        table.replace([], epoch);
        for (const { list, epochUp, read, batch: made } of steps) {
          const changes = made.map(([name, text]): Change => {
            revision += 1n;
            const { key } = entry(name, revision);
            const change = text === undefined ? { key, modRevision: revision } : entry(name, revision, text);
            if ("value" in change) model.set(key, change as Entry);
            else model.delete(key);
            return change;
          });
          if (list) {
            if (epochUp) epoch += 1;
            table.replace([...model.values()], epoch);
          } else {
            table.apply(changes);
          }
          if (read) expect(table.instances()).toEqual(decodedInOrder(model));
        }
        expect(table.instances()).toEqual(decodedInOrder(model));
      }),
    );
  });
});

function decodedInOrder(model: ReadonlyMap<string, Entry>): Instance[] {
  const layout = goKitLayout();
  return [...model.values()]
    .flatMap(({ key, value }) => {
      const decoded = layout.decode(key, value);
      return "skip" in decoded ? [] : decoded;
    })
    .sort(byId);
}

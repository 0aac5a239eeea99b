import fc from "fast-check";
import { expect, it } from "vitest";
import { withChanges } from "./sorted-list.js";

interface Element {
  readonly key: number;
}

const byKey = (a: Element, b: Element) => a.key - b.key;

it("gives what filtering and sorting give", () => {
  const keys = fc.uniqueArray(fc.nat(50));
  fc.assert(
    fc.property(keys, keys, fc.func(fc.boolean()), (oldKeys, newKeys, stays) => {
      const before = oldKeys.sort((a, b) => a - b).map((key) => ({ key }));
      const left = before.filter(({ key }) => !stays(key));
      // A key may leave and come back as another element.
      const kept = before.filter((element) => !left.includes(element));
      const came = newKeys.filter((key) => !kept.some((element) => element.key === key)).map((key) => ({ key }));
      const changed = withChanges(before, [...left].reverse(), came, byKey);
      expect(changed).toEqual([...kept, ...came].sort(byKey));
      for (const element of changed) expect(kept.includes(element) || came.includes(element)).toBe(true);
    }),
  );
});

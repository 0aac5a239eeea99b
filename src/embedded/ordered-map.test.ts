import fc from "fast-check";
import { expect, it } from "vitest";
import { OrderedMap } from "./ordered-map.js";

const key = fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom("a", "b", "c", "\0", "ÿ") });

it("gives the values of any range in key order, whatever order they came and went in", () => {
  fc.assert(
    fc.property(fc.array(key), fc.array(key), key, fc.option(key, { nil: undefined }), (added, dropped, from, to) => {
      const map = new OrderedMap<string>();
      for (const each of added) map.set(each, each);
      map.retain((value) => !dropped.includes(value));
      const expected = [...new Set(added)]
        .filter((each) => !dropped.includes(each) && each >= from && (to === undefined || each < to))
        .sort();
      expect([...map.range(to === undefined ? { from } : { from, to })]).toEqual(expected);
    }),
  );
});

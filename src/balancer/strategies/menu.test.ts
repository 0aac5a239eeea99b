import { expect, it } from "vitest";
import { strategyNamed, strategyNames } from "./menu.js";

it("makes every strategy that it lists", () => {
  expect(strategyNames).toEqual(["round-robin", "random", "ring-hash", "maglev", "weighted-round-robin"]);
  for (const name of strategyNames) expect(strategyNamed(name)).toBeTypeOf("function");
});

it("refuses another name and says which there are", () => {
  expect(() => strategyNamed("toString")).toThrow(/no balancer "toString".*round-robin, random/);
});

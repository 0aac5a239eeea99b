import { expect, it } from "vitest";
import { balancerNamed, balancerNames } from "./menu.js";

it("makes every balancer that it lists, the default first", () => {
  expect(balancerNames[0]).toBe("p2c");
  for (const name of balancerNames) expect(balancerNamed(name).strategy).toBeTypeOf("function");
});

it("refuses another name and says which there are", () => {
  expect(() => balancerNamed("toString")).toThrow(/no balancer "toString".*p2c, p2c:pending, least-request/);
});

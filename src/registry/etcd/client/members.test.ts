import { expect, it } from "vitest";
import { seededRandom } from "../../../random.js";
import { members } from "./members.js";

const none: ReadonlySet<string> = new Set();

it("stays with the first member until it fails, and then leaves it for last", () => {
  const three = members(["a", "b", "c"], () => 0);
  expect(three.best(none)).toBe("a");
  three.demote("a");
  expect(three.inOrder).toEqual(["b", "c", "a"]);
  three.demote("b");
  three.demote("c");
  expect(three.best(none)).toBe("a");
});

it("counts a member's failure once, however many calls it had", () => {
  const three = members(["a", "b", "c"], () => 0);
  three.demote("a");
  three.demote("a");
  expect(three.inOrder).toEqual(["b", "c", "a"]);
});

it("offers what was not tried yet, and then nothing", () => {
  const two = members(["a", "b"], () => 0);
  expect(two.best(new Set(["a"]))).toBe("b");
  expect(two.best(new Set(["a", "b"]))).toBeUndefined();
});

it("spreads clients over the members", () => {
  const random = seededRandom(1);
  const firsts = Array.from({ length: 300 }, () => members(["a", "b", "c"], random).best(none));
  for (const member of ["a", "b", "c"]) {
    expect(firsts.filter((first) => first === member).length).toBeGreaterThan(60);
  }
});

import { expect, it } from "vitest";
import { checkChoice, checkFlag, checkFunction, checkObject, refuseArguments } from "./check-kind.js";
import { RollcallError } from "./errors.js";

it("names the option, what it has to be and what it is", () => {
  expect(() => checkFunction("strategy", "p2c", "write p2c()")).toThrow(
    new RollcallError("INVALID_ARGUMENT", '`strategy` has to be a function: write p2c(); it is "p2c"'),
  );
  expect(() => checkChoice("whenEmpty", "block", ["wait", "fail"])).toThrow('`whenEmpty` has to be "wait" or "fail"');
  expect(() => checkFlag("idempotent", "yes")).toThrow('`idempotent` has to be true or false; it is "yes"');
});

it("knows an object by what it can do", () => {
  checkObject("registry", { instancer: () => 0 }, "instancer", "a registry");
  for (const [value, is] of [
    [undefined, "undefined"],
    [null, "null"],
    [{}, "an object"],
    [[], "a list"],
    [function etcd() {}, "the function etcd"],
  ] as const) {
    expect(() => checkObject("registry", value, "instancer", "a registry")).toThrow(
      `\`registry\` has to be a registry; it is ${is}`,
    );
  }
});

it("takes what fits, and what is left to its default", () => {
  checkFunction("strategy", () => 0, "write p2c()");
  checkFlag("idempotent", false);
  checkFlag("idempotent", undefined);
  checkChoice("whenEmpty", "fail", ["wait", "fail"]);
  checkChoice("whenEmpty", undefined, ["wait", "fail"]);
});

it("tells of parentheses that are missing", () => {
  refuseArguments("p2c()", []);
  expect(() => refuseArguments("p2c()", [{ clock: 0 }])).toThrow("where it is one itself, write p2c()");
});

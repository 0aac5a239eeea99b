import { expect, it } from "vitest";
import { checkNumber, checkWholeNumber, checkWindow } from "./check-number.js";
import { RollcallError } from "./errors.js";

it("names the option, what it may be and what it was", () => {
  expect(() => checkNumber("share", 2, "from 0 to 1", false)).toThrow(
    new RollcallError("INVALID_ARGUMENT", "share must be a number from 0 to 1, not 2"),
  );
});

it("refuses what is no number, though a comparison may find it to fit", () => {
  expect(() => checkNumber("share", "1", "from 0 to 1", true)).toThrow("not 1");
  expect(() => checkNumber("share", undefined, "from 0 to 1", false)).toThrow("not undefined");
});

it("takes whole numbers from the least on", () => {
  checkWholeNumber("size", 1, 1);
  for (const size of [0, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => checkWholeNumber("size", size, 1)).toThrow(/size must be a whole number from 1 on, not/);
  }
});

it("takes no window that is empty or never moves on", () => {
  checkWindow("windowMs", 0.5);
  for (const windowMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => checkWindow("windowMs", windowMs)).toThrow(/windowMs must be a number of milliseconds above 0, not/);
  }
});

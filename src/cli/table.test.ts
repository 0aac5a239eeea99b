import { expect, it } from "vitest";
import { painter, table } from "./table.js";

const plain = painter(false, {});

it("lines columns up, numbers to the right, and leaves out what nobody filled", () => {
  const rows = [
    ["10.0.0.1:50051", "2.5", "", "a"],
    ["10.0.0.10:50051", "10", "", ""],
  ];
  expect(table(["ADDRESS", "WEIGHT", "ZONE", "TEAM"], rows, plain)).toEqual([
    "ADDRESS          WEIGHT  TEAM",
    "10.0.0.1:50051      2.5  a",
    "10.0.0.10:50051      10",
  ]);
});

it("paints for a terminal, and not where NO_COLOR is set", () => {
  expect(painter(true, {})("red", "x")).toBe("\u001b[31mx\u001b[39m");
  for (const paint of [painter(true, { NO_COLOR: "1" }), painter(true, { TERM: "dumb" }), plain]) {
    expect(paint("red", "x")).toBe("x");
  }
});

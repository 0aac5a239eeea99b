import { expect, it } from "vitest";
import { formatDuration, parseDuration, parsePositiveDuration } from "./duration.js";

it.each([
  ["500ms", 500],
  ["3s", 3_000],
  ["1.5s", 1_500],
  ["1m", 60_000],
  ["1h", 3_600_000],
  ["0", 0],
  ["0s", 0],
])("%s is %i ms", (text, valueMs) => {
  expect(parseDuration(text)).toBe(valueMs);
});

it.each(["", "3", "s", "-3s", "3 s", "3sec", "1m30s", "1e3s", "Infinitys"])("refuses %j", (text) => {
  expect(() => parseDuration(text)).toThrow("write e.g. 500ms, 3s or 1m");
});

it("refuses what a timer would take for no time at all", () => {
  expect(parseDuration("596h")).toBe(2_145_600_000);
  for (const text of ["597h", `${"9".repeat(400)}s`]) expect(() => parseDuration(text)).toThrow("596h is the most");
});

it("refuses no time where there has to be some", () => {
  expect(() => parsePositiveDuration("0ms")).toThrow("no time at all");
  expect(parsePositiveDuration("1ms")).toBe(1);
});

it.each([
  [700, "700ms"],
  [1_000, "1s"],
  [1_500, "1.5s"],
  [90_000, "90s"],
])("%i ms is written %s", (valueMs, text) => {
  expect(formatDuration(valueMs)).toBe(text);
});

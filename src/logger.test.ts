import { expect, it, vi } from "vitest";
import { resolveLogger, silentLogger, stderrLogger } from "./logger.js";

it("hands each line to the logger that was given", () => {
  const given = {
    lines: [] as string[],
    warn: vi.fn(),
    info(line: string) {
      this.lines.push(line);
    },
  };
  const logger = resolveLogger(given);
  logger.warn("lost");
  logger.info("back");
  expect(given.warn).toHaveBeenCalledExactlyOnceWith("lost");
  expect(given.lines).toEqual(["back"]);
});

it("is stderr where none was given, and silent for `false`", () => {
  expect(resolveLogger(undefined)).toBe(stderrLogger);
  expect(resolveLogger(false)).toBe(silentLogger);
});

it("reports a logger that throws as a process warning, and goes on", () => {
  const emitWarning = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const broken = () => {
    throw new Error("the log is full");
  };
  const logger = resolveLogger({ warn: broken, info: broken });
  logger.warn("lost");
  logger.info("back");
  expect(emitWarning.mock.calls).toEqual([[new Error("the log is full")], [new Error("the log is full")]]);
  emitWarning.mockRestore();
});

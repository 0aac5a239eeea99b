import { expect, test, vi } from "vitest";
import { CallError, RollcallError, toError } from "./errors.js";

test("instanceof tells the classes apart, also across two copies of the package", async () => {
  vi.resetModules();
  const other = await import("./errors.js");
  expect(other.RollcallError).not.toBe(RollcallError);

  const plain = new other.RollcallError("CLOSED", "closed");
  const call = new other.CallError("CALL_FAILED", "failed", []);
  expect(plain).toBeInstanceOf(RollcallError);
  expect(plain).not.toBeInstanceOf(CallError);
  expect(call).toBeInstanceOf(RollcallError);
  expect(call).toBeInstanceOf(CallError);
  expect(new Error("x")).not.toBeInstanceOf(RollcallError);
  expect(null).not.toBeInstanceOf(RollcallError);
});

test("instanceof knows a subclass of somebody else's by its prototype", () => {
  class OutOfStock extends RollcallError {}
  expect(new OutOfStock("CALL_FAILED", "none left")).toBeInstanceOf(OutOfStock);
  expect(new OutOfStock("CALL_FAILED", "none left")).toBeInstanceOf(RollcallError);
  expect(new RollcallError("CALL_FAILED", "failed")).not.toBeInstanceOf(OutOfStock);
});

test("an error keeps its code, cause and attempts", () => {
  const cause = new Error("refused");
  const attempts = [{ instance: "a", error: cause, elapsedMs: 3 }];
  const error = new CallError("CALL_FAILED", "1 attempt failed", attempts, { cause });
  expect(error).toMatchObject({ name: "CallError", code: "CALL_FAILED", cause, attempts });
});

test("whatever was thrown becomes an error", () => {
  const error = new Error("x");
  expect(toError(error)).toBe(error);
  expect(toError("text").message).toBe("text");
});

import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { outcomeOf, testify } from "./outcome-of.js";

function failure(code: status, trailer: Readonly<Record<string, string>> = {}): ServiceError {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(trailer)) metadata.set(key, value);
  return Object.assign(new Error(status[code]), { code, details: "", metadata });
}

test.each([
  ["UNAVAILABLE", "server"],
  ["INTERNAL", "server"],
  ["UNKNOWN", "server"],
  ["DEADLINE_EXCEEDED", "server"],
  ["DATA_LOSS", "server"],
  ["CANCELLED", "server"],
  ["RESOURCE_EXHAUSTED", "overload"],
  ["INVALID_ARGUMENT", "caller"],
  ["NOT_FOUND", "caller"],
  ["ALREADY_EXISTS", "caller"],
  ["PERMISSION_DENIED", "caller"],
  ["UNAUTHENTICATED", "caller"],
  ["FAILED_PRECONDITION", "caller"],
  ["ABORTED", "caller"],
  ["OUT_OF_RANGE", "caller"],
  ["UNIMPLEMENTED", "caller"],
] as const)("%s is the failure of the %s, and may have been seen", (code, fault) => {
  expect(outcomeOf(failure(status[code]))).toEqual({ kind: "failed", reached: "maybe-seen", fault, code });
});

test("what the connection says decides whether a call was sent, whatever its status", () => {
  for (const code of [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.INTERNAL]) {
    const error = failure(code);
    testify(error.metadata, { reached: "never-sent", cancelledHere: false });
    expect(outcomeOf(error).reached).toBe("never-sent");
  }
});

test("a message that is too large is the caller's failure, although its status is the one of an overload", () => {
  const error = failure(status.RESOURCE_EXHAUSTED);
  error.details = "Received message larger than max (5000000 vs 4194304)";
  expect(outcomeOf(error).fault).toBe("caller");
});

test("a call that we cancelled is nobody's failure", () => {
  const error = failure(status.CANCELLED);
  testify(error.metadata, { reached: "maybe-seen", cancelledHere: true });
  expect(outcomeOf(error)).toEqual({ kind: "cancelled", reached: "maybe-seen", code: "CANCELLED" });
});

test.each([
  ["0", 0],
  ["250", 250],
  ["-1", -1],
  ["soon", -1],
  ["1.5", -1],
  ["", -1],
])("push-back %j is %d ms", (text, pushbackMs) => {
  const error = failure(status.UNAVAILABLE, { "grpc-retry-pushback-ms": text });
  expect(outcomeOf(error).pushbackMs).toBe(pushbackMs);
});

test("an error of the caller's own code blames no server", () => {
  expect(outcomeOf(new TypeError("x is not a function"))).toEqual({
    kind: "failed",
    reached: "maybe-seen",
    fault: "caller",
  });
});

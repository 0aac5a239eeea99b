import { describe, expect, it } from "vitest";
import { Failure, never, type Server, setUp, unavailable } from "../../../test/support/retried-calls.js";
import { CallError } from "../../errors.js";
import type { Outcome } from "../../outcome.js";
import type { RetryOptions } from "./retry.js";

describe("which failures are tried again", () => {
  const codes = ["UNAVAILABLE", "NOT_FOUND", "INTERNAL", "UNKNOWN", "DEADLINE_EXCEEDED", undefined] as const;
  const table: [reached: Outcome["reached"], code: string | undefined, idempotent: boolean, again: boolean][] = [];
  for (const idempotent of [false, true]) {
    for (const code of codes) {
      table.push(["never-sent", code, idempotent, true]);
      table.push(["refused", code, idempotent, true]);
      table.push(["maybe-seen", code, idempotent, idempotent && (code === "UNAVAILABLE" || code === undefined)]);
    }
  }

  it.each(table)("%s %s, idempotent %s: tried again %s", async (reached, code, idempotent, again) => {
    const failure = new Failure({ reached, ...(code && { code }) });
    const { settle, tried } = setUp(async (n) => {
      if (n === 1) throw failure;
      return "answer";
    });
    const { value, error } = await settle({ idempotent, timeoutMs: 3_000 });
    expect(tried.length).toBe(again ? 2 : 1);
    if (again) expect(value).toBe("answer");
    else expect(error).toMatchObject({ code: "CALL_FAILED", cause: failure });
  });

  it.each([
    ["overload", "RESOURCE_EXHAUSTED", 2],
    ["server", "RESOURCE_EXHAUSTED", 1],
    ["caller", "UNAVAILABLE", 1],
  ] as const)("the fault of the %s, %s: %i attempts", async (fault, code, attempts) => {
    const { settle, tried } = setUp(async (n) => {
      if (n === 1) throw new Failure({ fault, code });
      return "answer";
    });
    await settle({ idempotent: true, timeoutMs: 3_000 });
    expect(tried.length).toBe(attempts);
  });

  it("asks the caller's own rule, which cannot make a repeat of a call that is not idempotent", async () => {
    const serve: Server = async (n) => {
      if (n === 1) throw new Failure({ code: "ABORTED" });
      return "answer";
    };
    const options: RetryOptions = { retryable: ({ code }) => code === "ABORTED" };
    expect((await setUp(serve, options).settle({ idempotent: true })).value).toBe("answer");
    expect((await setUp(serve, options).settle()).value).toBeUndefined();
  });

  it("takes the layer's idempotency only when the call says nothing", async () => {
    const serve: Server = async (n) => {
      if (n === 1) throw unavailable();
      return "answer";
    };
    expect((await setUp(serve, { idempotent: true }).settle()).value).toBe("answer");
    expect((await setUp(serve, { idempotent: true }).settle({ idempotent: false })).error).toBeInstanceOf(CallError);
  });

  it("makes no further attempt after a stream's first message", async () => {
    const { settle, tried } = setUp(async (_n, context) => {
      context.holdUntil(never());
      throw unavailable();
    });
    await settle({ idempotent: true, timeoutMs: 3_000 });
    expect(tried.length).toBe(1);
  });
});

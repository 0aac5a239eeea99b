import { expect, it } from "vitest";
import type { CallContext, CallOptions } from "./call.js";
import { compose } from "./compose.js";
import { defaultTimeout, timeout } from "./timeout.js";

/** A call that answers with the options it got. */
async function echo<R>(
  operation: (client: CallOptions, context: CallContext) => Promise<R>,
  options: CallOptions = {},
) {
  return operation(options, {} as CallContext); // these operations read nothing of it
}

async function seenBelow(layer: ReturnType<typeof timeout>, options?: CallOptions): Promise<CallOptions> {
  return compose<CallOptions>(echo, layer)(async (given) => given, options);
}

it("gives the call at most its time, and leaves a shorter one", async () => {
  expect(await seenBelow(timeout(500))).toEqual({ timeoutMs: 500 });
  expect(await seenBelow(timeout(500), { timeoutMs: 900, hashKey: "k" })).toEqual({ timeoutMs: 500, hashKey: "k" });
  expect(await seenBelow(timeout(500), { timeoutMs: 100 })).toEqual({ timeoutMs: 100 });
});

it("as a default gives way to any timeout of the call", async () => {
  expect(await seenBelow(defaultTimeout(500))).toEqual({ timeoutMs: 500 });
  expect(await seenBelow(defaultTimeout(500), { idempotent: true })).toEqual({ timeoutMs: 500, idempotent: true });
  const endless = { timeoutMs: Number.POSITIVE_INFINITY };
  expect(await seenBelow(defaultTimeout(500), endless)).toBe(endless);
});

it("refuses a timeout that is none when the layer is made", () => {
  expect(() => timeout(Number.NaN)).toThrow(/timeoutMs must be a number/);
  expect(() => defaultTimeout(-1)).toThrow(/timeoutMs must be a number/);
});

it("composes from the balancer outwards", async () => {
  const order: string[] = [];
  const named = (name: string) =>
    ((next) => (operation, options) => {
      order.push(name);
      return next(operation, options);
    }) as ReturnType<typeof timeout>;
  await compose<CallOptions>(echo, named("inner"), named("outer"))(async () => {});
  expect(order).toEqual(["outer", "inner"]);
});

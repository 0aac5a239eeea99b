/** Layers of a gRPC client, around each of its attempts. */
import { concurrencyLimit, memory, throttle } from "rollcall";
import { GrpcError, grpcClient } from "rollcall/grpc";
import { expect, test } from "vitest";
import { startTalk } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";

test("a stream counts as a call in progress until it is left", async () => {
  const registry = memory();
  await using _server = await startTalk(registry);
  await using client = grpcClient(Talk, { registry, service: "talk", layers: [concurrencyLimit({ initial: 1 })] });
  const numbers = client.count({ value: -2 });
  expect(await numbers[Symbol.asyncIterator]().next()).toMatchObject({ value: { value: 1 } });
  await expect(client.say({ text: "hello" })).rejects.toMatchObject({ code: "CONCURRENCY_LIMITED" });
  await numbers[Symbol.asyncIterator]().return?.();
  expect((await client.say({ text: "hello" })).text).toBe("hello");
});

test("a throttle below the retries sees each attempt, and keeps most of them from a server that is overloaded", async () => {
  const registry = memory();
  let handled = 0;
  const overloaded = async () => {
    handled += 1;
    throw new GrpcError("RESOURCE_EXHAUSTED", "too much");
  };
  await using _server = await startTalk(registry, {}, { say: overloaded });
  await using client = grpcClient(Talk, { registry, service: "talk", idempotent: true, layers: [throttle()] });
  const codes = new Set<string>();
  for (let n = 0; n < 200; n += 1) await client.say({ text: "hello" }).catch(({ code }) => codes.add(code));
  expect(handled).toBeLessThan(100);
  expect(codes).toEqual(new Set(["CALL_FAILED", "THROTTLED"]));
});

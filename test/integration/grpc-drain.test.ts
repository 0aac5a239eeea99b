/** Servers that leave while they are busy: what their clients notice of it. */
import { status } from "@grpc/grpc-js";
import { memory } from "rollcall";
import { type BalancedGrpcClient, grpcClient, type HandlerContext, type ServeHandle, serve } from "rollcall/grpc";
import { expect, test } from "vitest";
import { Talk } from "../support/talk_pb.js";

const CALLERS = 200;

/** A server whose calls take `workMs`, and whose counts go on until they are cancelled. */
function startBusy(
  registry: ReturnType<typeof memory>,
  options: { readonly drainMs?: number; readonly workMs?: number },
) {
  const { drainMs = 5_000, workMs = 20 } = options;
  const say = async ({ text }: { text: string }) => {
    await new Promise((resolve) => setTimeout(resolve, workMs));
    return { text };
  };
  return serve({
    registry,
    service: "talk",
    listen: "127.0.0.1:0",
    spreadMs: 200,
    drainMs,
    signals: [],
    handlers: [
      [
        Talk,
        {
          say,
          look: say,
          async *count(_, { signal }: HandlerContext) {
            for (let value = 1; !signal.aborted; value += 1) {
              yield { value };
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
          },
          sum: async () => ({}),
          async *echo() {},
        },
      ],
    ],
  });
}

test.each([true, false])(
  "no unary call fails while every server is replaced under load; idempotent: %s",
  async (idempotent) => {
    const registry = memory();
    const first = await Promise.all([startBusy(registry, {}), startBusy(registry, {}), startBusy(registry, {})]);
    const second: ServeHandle[] = [];
    await using talk = grpcClient(Talk, { registry, service: "talk", idempotent });
    await talk.ready();
    let replacing = true;
    let calls = 0;
    const failures: unknown[] = [];
    const callers = Array.from({ length: CALLERS }, async () => {
      while (replacing) {
        calls += 1;
        await talk.say({ text: "hello" }).catch((error: unknown) => failures.push(error));
      }
    });
    for (const old of first) {
      second.push(await startBusy(registry, {}));
      await old.close();
    }
    replacing = false;
    await Promise.all(callers);
    await Promise.all(second.map((server) => server.close()));
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(CALLERS * 3);
  },
);

test("calls in flight finish, streams are cut after drainMs, and nothing that came before is lost", async () => {
  const registry = memory();
  const server = await startBusy(registry, { drainMs: 1_500, workMs: 800 });
  await using talk = grpcClient(Talk, { registry, service: "talk" });
  await using patient = grpcClient(Talk, { registry, service: "talk", idempotent: true });
  await Promise.all([talk.ready(), patient.ready()]);
  const unary = Promise.all(Array.from({ length: CALLERS }, () => talk.say({ text: "hello" })));
  const read = async (client: BalancedGrpcClient<typeof Talk>) => {
    let last = 0;
    try {
      for await (const { value } of client.count({})) last = value;
    } catch (error) {
      return { last, error };
    }
    return { last, error: undefined };
  };
  const streams = [read(talk), read(patient)];
  await new Promise((resolve) => setTimeout(resolve, 300));
  const startedMs = performance.now();
  await server.close();
  const tookMs = performance.now() - startedMs;
  expect((await unary).every(({ text }) => text === "hello")).toBe(true);
  for (const { last, error } of await Promise.all(streams)) {
    expect(last).toBeGreaterThan(20); // they went on while the server drained
    // UNAVAILABLE, not CANCELLED, which a client would take for its own doing; and no second attempt: its first messages were seen.
    expect(error).toMatchObject({ code: status.UNAVAILABLE });
  }
  expect(tookMs).toBeGreaterThan(1_500);
  expect(tookMs).toBeLessThan(10_000);
});

/**
 * Real gRPC servers that fail, hang or die, and whom their clients eject. In turn, so that each server gets its share of the
 * calls: the default strategy avoids who fails before it has to be ejected.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type EjectionEvent, memory, roundRobin } from "rollcall";
import { GrpcError, grpcClient } from "rollcall/grpc";
import { manualRegistry } from "rollcall/testing";
import { expect, test } from "vitest";
import { aborted, startTalk } from "../support/talk.js";
import { Talk } from "../support/talk_pb.js";
import { startTalkProcess } from "../support/talk-process.js";

/** The ejections of one service, as they come. */
function ejectionsOf(service: string): { readonly events: readonly EjectionEvent[] } & Disposable {
  const events: EjectionEvent[] = [];
  const hear = (message: unknown) => {
    const event = message as EjectionEvent;
    if (event.service === service) events.push(event);
  };
  subscribe("rollcall:ejection", hear);
  return { events, [Symbol.dispose]: () => void unsubscribe("rollcall:ejection", hear) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("a server that fails half of its calls is ejected, probed, and used again once it is well", async () => {
  const service = "half-failing";
  using ejections = ejectionsOf(service);
  const registry = memory();
  let well = false;
  let calls = 0;
  const say = async ({ text }: { readonly text: string }) => {
    calls += 1;
    if (!well && calls % 2 === 0) throw new GrpcError("UNAVAILABLE", "its database is away");
    return { text };
  };
  await using _good = await startTalk(registry, { service });
  await using _alsoGood = await startTalk(registry, { service });
  await using bad = await startTalk(registry, { service }, { say });
  await using talk = grpcClient(Talk, {
    registry,
    service,
    strategy: roundRobin(),
    ejection: { baseEjectionMs: 200 },
    logger: false,
  });
  await talk.ready();
  await until(() => talk.endpoints.availability.current.ready === 3);

  let failed = 0;
  const sayHello = () =>
    talk.say({ text: "hello" }).catch((error: unknown) => {
      failed += 1;
      return error;
    });
  for (let n = 0; n < 30; n += 1) await sayHello();
  expect(ejections.events[0]).toMatchObject({ address: bad.handle.address, state: "ejected", ejected: 1, total: 3 });
  expect(ejections.events[0]?.reason).toMatch(/^\d of \d calls failed within 10 s, the last with UNAVAILABLE$/);
  expect(failed).toBeLessThanOrEqual(5);

  well = true;
  const before = calls;
  while (ejections.events.at(-1)?.state !== "returned") await sayHello();
  expect(calls).toBe(before + 1); // by its probe
  for (let n = 0; n < 6; n += 1) await sayHello();
  expect(calls).toBe(before + 3);
});

test("a server whose handlers hang is ejected by the deadlines that it misses", async () => {
  const service = "hanging";
  using ejections = ejectionsOf(service);
  const registry = memory();
  await using _good = await startTalk(registry, { service });
  await using bad = await startTalk(
    registry,
    { service },
    {
      say: async (request, context) => {
        await aborted(context.signal);
        return request;
      },
    },
  );
  await using talk = grpcClient(Talk, { registry, service, strategy: roundRobin(), timeoutMs: 1_000, logger: false });
  await until(() => talk.endpoints.availability.current.ready === 2);
  for (let n = 0; n < 2; n += 1) await talk.look({ text: "both have answered before" });
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, () =>
      talk.say({ text: "hello" }).then(
        () => "answered",
        () => "failed",
      ),
    ),
  );
  expect(outcomes.filter((outcome) => outcome === "failed")).toHaveLength(5);
  expect(ejections.events).toMatchObject([{ address: bad.handle.address, state: "ejected", ejected: 1, total: 2 }]);
  await until(() => talk.endpoints.availability.current.ready === 2); // its connection, doubted for the silence, was good
  for (let n = 0; n < 10; n += 1) expect((await talk.say({ text: "hello" })).text).toBe("hello");
});

test("a server that dies with many calls on it is not ejected as well: it is used as soon as it is back", async () => {
  const service = "dying";
  using ejections = ejectionsOf(service);
  const mortal = await startTalkProcess();
  const other = await startTalkProcess();
  const registry = manualRegistry();
  registry.membership(service).live(mortal.address, other.address);
  await using talk = grpcClient(Talk, { registry, service, strategy: roundRobin(), retry: false, logger: false });
  await until(() => talk.endpoints.availability.current.ready === 2);
  const waiting = Array.from({ length: 40 }, () =>
    talk.say({ text: "wait" }, { timeoutMs: 60_000 }).catch(() => "failed"),
  );
  await Promise.all([talk.say({ text: "hello" }), talk.say({ text: "hello" })]); // behind them on both connections
  await mortal.kill();
  await until(() => talk.endpoints.availability.current.ready === 1);
  await using _again = await startTalkProcess({ listen: mortal.address });
  await until(() => talk.endpoints.availability.current.ready === 2);
  expect(ejections.events).toEqual([]);
  await other.kill();
  await Promise.all(waiting);
});

/** Servers that leave, die, hang and come back under steady load, with etcd between them and their clients: which calls fail. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { firstMatch } from "rollcall";
import { expect, test, vi } from "vitest";
import { type Load, lostNothing, startLaboratory, TTL_MS } from "../lab/laboratory.js";

// A first run compiles the programs of the servers, each for itself.
vi.setConfig({ testTimeout: 120_000 });

const WORK_MS = 10;
/** Within this a client has noticed that a server is gone or hangs; a lease tells it a TTL after that at the earliest. */
const SOON_MS = 2_000;

async function startScene() {
  const lab = await startLaboratory({ size: 1 });
  const serve = (listen = "127.0.0.1:0") => lab.server({ listen, workMs: WORK_MS });
  const servers = await Promise.all([serve(), serve(), serve()]);
  return { lab, servers, serve, [Symbol.asyncDispose]: lab.stop };
}

const allReady = (load: Load, withinMs: number) =>
  firstMatch(load.client.endpoints.availability, ({ ready }) => ready === 3, AbortSignal.timeout(withinMs));

test.concurrent("21: a rolling restart of every server fails no call, whether it may be repeated or not", async () => {
  await using scene = await startScene();
  const repeatable = await scene.lab.load({ idempotent: true });
  const once = await scene.lab.load({ idempotent: false });
  await once.more(200);
  for (const server of scene.servers) {
    await server.drain();
    await scene.serve(server.address);
    await allReady(once, 15_000);
    const sinceMs = performance.now();
    await once.more(200);
    expect(once.attemptsAt(server.address, sinceMs)).toBeGreaterThan(20); // it has its share again
  }
  await lostNothing(repeatable, once);
  expect(once.calls).toBeGreaterThan(1_000);
});

test.concurrent("21: streams go on while their server drains, lose nothing of what it sent, and end with UNAVAILABLE after drainMs", async () => {
  await using lab = await startLaboratory({ size: 1 });
  const server = await lab.server({ drainMs: 1_500, workMs: 2_000 });
  const load = await lab.load({ idempotent: true, servers: 1, callers: 0 });
  const { client } = load;
  const heard: string[] = [];
  async function* words() {
    for (let count = 0; ; count += 1) {
      yield { text: String(count) };
      await sleep(50);
    }
  }
  const talking = (async () => {
    for await (const { text } of client.echo(words())) heard.push(text);
  })();
  const ended = talking.catch((error: unknown) => error);
  while (heard.length < 5) await sleep(20);

  const inFlight = client.say({ text: "in flight" }, { timeoutMs: 30_000 });
  await sleep(200); // it has left
  const drained = server.drain();
  await firstMatch(client.endpoints, ({ length }) => length === 0, AbortSignal.timeout(10_000));
  const before = heard.length;
  expect((await inFlight).text).toBe("in flight");
  // UNAVAILABLE, not CANCELLED, which a client would take for its own doing; and no second attempt: its first answers were seen.
  expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
  await drained;
  expect(heard.length).toBeGreaterThan(before + 3); // a second of spreading and one and a half of draining, at a word in 50 ms
  expect(heard).toEqual(heard.map((_, count) => String(count)));
});

test.concurrent("39: a server that is killed fails no idempotent call, and gets no more long before its lease ends", async () => {
  await using scene = await startScene();
  const load = await scene.lab.load({ idempotent: true });
  const [victim] = scene.servers;
  const killedMs = performance.now();
  await victim?.kill();
  await sleep(TTL_MS * 0.7);
  const { membership, endpoints } = load.client;
  expect(membership.current).toMatchObject({ state: "live", instances: { length: 3 } }); // its lease still runs
  expect(load.attemptsAt(victim?.address ?? "", killedMs + SOON_MS)).toBe(0);
  await firstMatch(endpoints, (list) => list.length === 2, AbortSignal.timeout(4 * TTL_MS));
  await lostNothing(load);
});

test.concurrent("a server that hangs fails no idempotent call, gets no more of them, and is used again when it wakes", async () => {
  await using scene = await startScene();
  const load = await scene.lab.load({ idempotent: true, timeoutMs: 3_000 });
  const [victim] = scene.servers;
  const address = victim?.address ?? "";
  await load.more(200);
  const pausedMs = performance.now();
  victim?.pause();
  await sleep(TTL_MS * 0.7);
  expect(load.attemptsAt(address, pausedMs + SOON_MS)).toBe(0);
  victim?.resume();
  await allReady(load, 15_000);
  const resumedMs = performance.now();
  // Not at once: that it took seconds to answer is forgotten by and by.
  const untilMs = performance.now() + 60_000;
  while (load.attemptsAt(address, resumedMs) <= 20 && performance.now() < untilMs) await load.more(50);
  expect(load.attemptsAt(address, resumedMs)).toBeGreaterThan(20);
  await lostNothing(load);
});

// By itself: it blocks the process that the tests of a file share.
test("35: a caller whose event loop stood still reads what came meanwhile before it takes a server for hung", async () => {
  await using lab = await startLaboratory({ size: 1 });
  const servers = await Promise.all([1, 2, 3].map(() => lab.server({ workMs: 100 })));
  const load = await lab.load({ idempotent: true, timeoutMs: 9_000, callers: 0 });
  const answers = servers.map(() => load.client.say({ text: "hello" }));
  const states = new Set<string>();
  const watching = load.client.endpoints.availability.subscribe(({ ready }) => states.add(`${ready} ready`));
  await sleep(50); // the calls have left
  // As the handler of a request stands still: after it come the timers, and only then what has arrived on other sockets.
  const busy = createServer((socket) => {
    for (const untilMs = performance.now() + 4_000; performance.now() < untilMs; ); // a call's share is three
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(busy, "listening");
  connect((busy.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
  expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(servers.map(() => "hello"));
  busy.close();
  await sleep(100);
  expect(states).toEqual(new Set(["3 ready"]));
  watching[Symbol.dispose]();
});

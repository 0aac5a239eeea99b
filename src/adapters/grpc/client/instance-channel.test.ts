import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { credentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { firstMatch } from "../../../index.js";
import { type VirtualClock, virtualClock } from "../../../testing/index.js";
import { InstanceChannel } from "./instance-channel.js";

/** Accepts and says nothing, as the kernel does for a process that hangs. */
let server: Server;
let sockets: Socket[];
let clock: VirtualClock;
let channel: InstanceChannel;

beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    server.emit("accepted");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  clock = virtualClock();
  channel = new InstanceChannel(`127.0.0.1:${port}`, credentials.createInsecure(), {}, clock);
});

afterEach(() => {
  channel.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

const within = () => AbortSignal.timeout(10_000);

test("a peer that accepts and says nothing is not ready; it is failing after 5 s and dialled anew, then less often", async () => {
  channel.connect();
  await firstMatch(channel.status, (status) => status === "connecting", within());
  while (sockets.length < 1) await once(server, "accepted");
  await clock.advance(4_900);
  expect(channel.status.current).toBe("connecting");
  await clock.advance(200);
  expect(channel.status.current).toBe("failing");
  while (sockets.length < 2) await once(server, "accepted");
  await clock.advance(10_000);
  expect(channel.status.current).toBe("failing");
  while (sockets.length < 3) await once(server, "accepted");
});

test("a peer that hangs for an hour is left with few sockets, not with one for every five seconds", async () => {
  channel.connect();
  for (let dials = 1, waitedMs = 0; waitedMs < 3_600_000; dials += 1) {
    while (sockets.length < dials) await once(server, "accepted");
    await new Promise((resolve) => setImmediate(resolve));
    const waitMs = Math.min(5_000 * 2 ** (dials - 1), 900_000);
    await clock.advance(waitMs);
    waitedMs += waitMs;
  }
  expect(sockets.length).toBeLessThan(15);
  expect(channel.status.current).toBe("failing");
});

test("a suspicion while it is not ready changes nothing: it is being dialled already", async () => {
  channel.connect();
  await firstMatch(channel.status, (status) => status === "connecting", within());
  await clock.advance(1_000);
  channel.suspect(0);
  await clock.advance(0);
  expect(clock.pendingTimers).toBe(1);
  expect(channel.status.current).toBe("connecting");
});

test("closed, it is idle, has no timer left and dials no more", async () => {
  channel.connect();
  await firstMatch(channel.status, (status) => status === "connecting", within());
  channel.close();
  expect(channel.status.current).toBe("idle");
  expect(clock.pendingTimers).toBe(0);
  channel.connect();
  channel.suspect(0);
  await clock.advance(10_000);
  expect(channel.status.current).toBe("idle");
});

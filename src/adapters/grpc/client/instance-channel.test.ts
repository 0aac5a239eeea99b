import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { firstMatch } from "../../../index.js";
import { type VirtualClock, virtualClock } from "../../../testing/index.js";
import type { ClientSecurity } from "../tls.js";
import { InstanceChannel } from "./instance-channel.js";

/** Accepts and says nothing, as the kernel does for a process that hangs. */
let server: Server;
let sockets: Socket[];
let clock: VirtualClock;
let channel: InstanceChannel;
let security: { credentials: () => ChannelCredentials } & Omit<ClientSecurity, "credentials">;

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
  const insecure = credentials.createInsecure();
  security = { credentials: () => insecure, changes: false, channelOptions: {} };
  channel = new InstanceChannel(`127.0.0.1:${port}`, security, clock);
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

test("a peer that takes no connection is dialled with other credentials within 5 s of their being there", async () => {
  server.on("connection", (socket) => socket.destroy());
  channel.close();
  security = { ...security, changes: true };
  const { port } = server.address() as { port: number };
  channel = new InstanceChannel(`127.0.0.1:${port}`, security, clock);
  channel.connect();
  await firstMatch(channel.status, (status) => status === "failing", within());
  await clock.advance(40_000);
  let asked = 0;
  const renewed = credentials.createInsecure();
  security.credentials = () => {
    asked += 1;
    return renewed;
  };
  await clock.advance(5_000);
  expect(asked).toBeGreaterThanOrEqual(2); // to look, and for the new connection
  await clock.advance(5_000);
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

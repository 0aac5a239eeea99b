import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { client } from "../client.js";
import { fixed } from "../registry/fixed.js";
import { incomingCall } from "./deadline.js";
import { DEADLINE_HEADER, deadlineHeaders, whileAnsweringHttp } from "./http-deadline.js";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A server whose handler answers with what it returns, and a client of it that tells how long it waits. */
async function httpService(handle: (request: IncomingMessage, response: ServerResponse) => Promise<string>) {
  const server = createServer((request, response) => {
    void whileAnsweringHttp(request, response, async () => {
      response.end(await handle(request, response).catch((error) => String(error.code)));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const service = client({
    registry: fixed({ hop: [address] }),
    service: "hop",
    connect: ({ address }) => ({
      client: (path: string, init: RequestInit) => fetch(`http://${address}${path}`, init),
    }),
  });
  open.push(
    () => server.close(),
    () => server.closeAllConnections(),
    () => service.close(),
  );
  return (options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
    service.call(
      async (request, context) =>
        (await request("/", { headers: deadlineHeaders(context), signal: context.signal })).text(),
      options,
    );
}

it("carries the deadline of a call over two hops, which shrinks on the way", async () => {
  const last = await httpService(async () => String(incomingCall()?.remainingMs()));
  const first = await httpService(async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return last({ timeoutMs: 60_000 });
  });
  const left = Number(await first({ timeoutMs: 5_000 }));
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(5_000 - 100 - 10 + 1); // a timer may be a millisecond early
});

it("cancels what is called for a sender who has gone", async () => {
  let arrive = (_: ServerResponse) => {};
  const arrival = new Promise<ServerResponse>((resolve) => {
    arrive = resolve;
  });
  const last = await httpService(async (_, response) => {
    arrive(response);
    return new Promise(() => {});
  });
  const first = await httpService(() => last());
  const leaving = new AbortController();
  const call = first({ signal: leaving.signal }).catch((error) => error.code);
  const closed = once(await arrival, "close");
  leaving.abort();
  expect(await call).toBe("CANCELLED");
  await closed;
});

it("limits nothing without a deadline, and takes none from a header that cannot be read", async () => {
  expect(deadlineHeaders({ deadlineMs: Number.POSITIVE_INFINITY })).toEqual({});
  for (const header of [undefined, "", "0", "soon", "-5", "1e9", ["5", "6"]]) {
    const request = { headers: { [DEADLINE_HEADER]: header } } as unknown as IncomingMessage;
    const response = { writableEnded: false } as ServerResponse;
    expect(whileAnsweringHttp(request, response, () => incomingCall()?.remainingMs())).toBe(Number.POSITIVE_INFINITY);
  }
});

it("is told in whole milliseconds, at least one", () => {
  const clock = { nowMs: () => 1_000.25, epochMs: () => 0, after: () => ({ cancel() {} }) };
  expect(deadlineHeaders({ deadlineMs: 1_250.5 }, clock)).toEqual({ [DEADLINE_HEADER]: "250" });
  expect(deadlineHeaders({ deadlineMs: 1_000.5 }, clock)).toEqual({ [DEADLINE_HEADER]: "1" });
});

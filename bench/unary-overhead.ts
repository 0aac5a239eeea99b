/**
 * What balancing and retrying add to the client's CPU for a unary call over grpc-js. The other contender is a bare grpc-js
 * client per server, taken in turn, with the same codecs, a promise and a 3 s deadline.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { fixed } from "rollcall";
import { grpcClient } from "rollcall/grpc";
import { Test } from "../examples/book/book_pb.js";
import { methodDefinition } from "../src/method-definitions.js";
import { figure, report } from "./support/report.js";
import { median } from "./support/statistics.js";

const SERVERS = 3;
const CALLERS = 16;
const PAIRS = 9;
const CALLS = 20_000;
const TIMEOUT_MS = 3_000;

interface Contender {
  call(): Promise<unknown>;
  close(): Promise<void>;
}

const request = { a: "Allen", b: 21n };

function bare(addresses: readonly string[]): Contender {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(Test.method.test);
  const clients = addresses.map((address) => new Client(address, credentials.createInsecure()));
  let turn = 0;
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const client = clients[turn++ % clients.length] as Client; // there is one for each address
        const deadline = Date.now() + TIMEOUT_MS;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          new Metadata(),
          { deadline },
          (error, response) => (error ? reject(error) : resolve(response)),
        );
      }),
    close: async () => {
      for (const client of clients) client.close();
    },
  };
}

function balanced(addresses: readonly string[]): Contender {
  const registry = fixed({ book: addresses });
  const book = grpcClient(Test, { registry, service: "book", timeoutMs: TIMEOUT_MS, idempotent: true });
  return { call: () => book.test(request), close: () => book.close() };
}

/** Microseconds of this process's CPU for each of `CALLS` calls. */
async function cost({ call }: Contender): Promise<number> {
  let left = CALLS;
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: CALLERS }, caller));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

async function startServer(): Promise<{ readonly address: string; readonly process: ChildProcess }> {
  const server = fork(fileURLToPath(new URL("support/book-server.js", import.meta.url)));
  const [address] = (await once(server, "message")) as [string];
  return { address, process: server };
}

const servers = await Promise.all(Array.from({ length: SERVERS }, startServer));
const addresses = servers.map(({ address }) => address);
const base = bare(addresses);
const ours = balanced(addresses);
const costs: { base: number; ours: number }[] = [];
await cost(base);
await cost(ours);
for (let pair = 0; pair < PAIRS; pair += 1) {
  // Who goes first takes turns, so that a machine that slows down slows both.
  if (pair % 2 === 0) {
    const baseFirst = await cost(base);
    costs.push({ base: baseFirst, ours: await cost(ours) });
  } else {
    const oursFirst = await cost(ours);
    costs.push({ base: await cost(base), ours: oursFirst });
  }
}
await base.close();
await ours.close();
for (const server of servers) server.process.disconnect();

report({
  bench: "unary-overhead",
  about: `Client CPU of a balanced, retried unary call beside that of a bare grpc-js client per server: ${PAIRS} pairs of ${CALLS} calls in turn, ${CALLERS} callers, ${SERVERS} server processes. rollcall switches off the stack trace that grpc-js captures at the start of each call; the bare client pays for it.`,
  targets: [
    {
      what: "median of the pairs",
      atMost: 1.05,
      unit: " ×",
      measured: median(costs.map((pair) => pair.ours / pair.base)),
    },
  ],
  details: [
    "| pair | bare, µs | rollcall, µs | |",
    "|---:|---:|---:|---:|",
    ...costs.map(
      (pair, index) =>
        `| ${index + 1} | ${figure(pair.base)} | ${figure(pair.ours)} | ${figure(pair.ours / pair.base)} × |`,
    ),
  ],
});

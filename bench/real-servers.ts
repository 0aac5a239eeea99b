/**
 * Strategies on real servers: three and ten processes, of which one is slow, failing, hanging or cold for a while, under a steady
 * rate of calls. The other contender is grpc-js with `round_robin`, outlier detection and retries, set as eagerly as it allows.
 *
 * Each contender meets each trouble in turn with a client of its own. Calls start by the clock and not when another ends, so
 * that a slow server cannot hold back the calls that would show it.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { balancerNamed, fixed } from "rollcall";
import { grpcClient } from "rollcall/grpc";
import { Test } from "../examples/book/book_pb.js";
import { methodDefinition } from "../src/method-definitions.js";
import type { Mood, Order, Report } from "./support/moody-server.js";
import { figure, report } from "./support/report.js";
import { quantile } from "./support/statistics.js";

const SIZES = [3, 10];
const TROUBLES = ["slow", "failing", "hanging", "cold"] as const satisfies readonly Mood[];
const CALLS_PER_SECOND_AND_SERVER = 40;
const WARM_UP_MS = 2_000;
const TROUBLE_MS = 6_000;
const CALM_MS = 1_000;
const TIMEOUT_MS = 1_000;
const STRATEGIES = ["p2c", "p2c:pending", "least-request", "weighted-round-robin", "round-robin"];
const GRPC_JS = "grpc-js round_robin + outlier detection";
const request = { a: "Allen", b: 21n };

interface Contender {
  readonly name: string;
  open(addresses: readonly string[]): { call(): Promise<unknown>; close(): Promise<void> };
}

interface Result {
  readonly contender: string;
  /** Of the calls' attempts, in percent. */
  readonly share: number;
  readonly latencies: readonly number[];
  readonly failed: number;
}

const contenders: readonly Contender[] = [
  ...STRATEGIES.map((name) => ({
    name: `rollcall ${name}`,
    open: (addresses: readonly string[]) => ours(name, addresses),
  })),
  { name: GRPC_JS, open: grpcJs },
];

function ours(name: string, addresses: readonly string[]) {
  const book = grpcClient(Test, {
    registry: fixed({ book: addresses }),
    service: "book",
    timeoutMs: TIMEOUT_MS,
    idempotent: true,
    ...balancerNamed(name),
    logger: false,
  });
  return { call: () => book.test(request), close: () => book.close() };
}

/** What its documentation offers: the policy, an ejection that looks every second and may eject half, three attempts. */
function grpcJs(addresses: readonly string[]) {
  const serviceConfig = {
    loadBalancingConfig: [
      {
        outlier_detection: {
          // As objects: written as in a proto's JSON they are refused, without a word, and with them the whole policy.
          interval: { seconds: 1, nanos: 0 },
          base_ejection_time: { seconds: 5, nanos: 0 },
          max_ejection_percent: 50,
          success_rate_ejection: { minimum_hosts: 3, request_volume: 10 },
          failure_percentage_ejection: { threshold: 50, minimum_hosts: 3, request_volume: 10 },
          child_policy: [{ round_robin: {} }],
        },
      },
    ],
    methodConfig: [
      {
        name: [{}],
        retryPolicy: {
          maxAttempts: 3,
          initialBackoff: "0.025s",
          maxBackoff: "0.25s",
          backoffMultiplier: 2,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
  };
  const client = new Client(`ipv4:${addresses.join(",")}`, credentials.createInsecure(), {
    "grpc.service_config": JSON.stringify(serviceConfig),
  });
  const { path, requestSerialize, responseDeserialize } = methodDefinition(Test.method.test);
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const deadline = Date.now() + TIMEOUT_MS;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          new Metadata(),
          { deadline },
          (error, reply) => (error ? reject(error) : resolve(reply)),
        );
      }),
    close: async () => client.close(),
  };
}

/** Calls at a steady rate for `durationMs`, and waits for the last answer. */
async function load(call: () => Promise<unknown>, perSecond: number, durationMs: number) {
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  let failed = 0;
  const beganMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - beganMs) {
    while (pending.length < (elapsedMs * perSecond) / 1_000) {
      const startedMs = performance.now();
      const answered = () => void latencies.push(performance.now() - startedMs);
      pending.push(
        call().then(answered, () => {
          failed += 1;
          answered();
        }),
      );
    }
    await sleep(1);
  }
  await Promise.all(pending);
  return { latencies, failed };
}

interface Server {
  readonly address: string;
  readonly process: ChildProcess;
}

async function startServer(): Promise<Server> {
  const server = fork(fileURLToPath(new URL("support/moody-server.js", import.meta.url)));
  const [report] = (await once(server, "message")) as [Report];
  return { address: "address" in report ? report.address : "", process: server };
}

function order({ process }: Server, what: Order): void {
  process.send(what);
}

async function takeCount(server: Server): Promise<number> {
  order(server, "count");
  const [report] = (await once(server.process, "message")) as [Report];
  return "count" in report ? report.count : 0;
}

async function measure(servers: readonly Server[], trouble: Mood, { name, open }: Contender): Promise<Result> {
  const [bad] = servers as [Server]; // there are three at least
  const perSecond = servers.length * CALLS_PER_SECOND_AND_SERVER;
  const { call, close } = open(servers.map(({ address }) => address));
  await load(call, perSecond, WARM_UP_MS);
  await Promise.all(servers.map(takeCount));
  order(bad, { mood: trouble });
  const { latencies, failed } = await load(call, perSecond, TROUBLE_MS);
  const [ofBad = 0, ...others] = await Promise.all(servers.map(takeCount));
  order(bad, { mood: "steady" });
  await close();
  await sleep(CALM_MS);
  const all = others.reduce((sum, count) => sum + count, ofBad);
  return { contender: name, share: (100 * ofBad) / all, latencies, failed };
}

const details: string[] = [];
const ratios: number[] = [];
let failedByDefault = 0;
for (const size of SIZES) {
  const servers = await Promise.all(Array.from({ length: size }, startServer));
  for (const trouble of TROUBLES) {
    const results: Result[] = [];
    for (const contender of contenders) results.push(await measure(servers, trouble, contender));
    details.push(...table(`${size} servers, one ${trouble}`, results));
    const [byDefault, incumbent] = [results[0] as Result, results.at(-1) as Result];
    ratios.push(quantile(byDefault.latencies, 0.99) / quantile(incumbent.latencies, 0.99));
    failedByDefault += byDefault.failed;
  }
  for (const { process } of servers) process.disconnect();
}

function table(title: string, results: readonly Result[]): string[] {
  const rows = results.map(({ contender, share, latencies, failed }) => {
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((q) => figure(quantile(latencies, q)));
    return `| ${contender} | ${figure(share)} % | ${p50} | ${p99} | ${p999} | ${failed} of ${latencies.length} |`;
  });
  const head = [
    "| | calls at that server | p50, ms | p99, ms | p99.9, ms | failed |",
    "|---|---:|---:|---:|---:|---:|",
  ];
  return ["", `**${title}**`, "", ...head, ...rows];
}

report({
  bench: "real-servers",
  about:
    `Strategies beside grpc-js on real gRPC servers, one of which is in trouble for ${TROUBLE_MS / 1_000} s: ` +
    `${CALLS_PER_SECOND_AND_SERVER} calls a second for each server, a deadline of ${TIMEOUT_MS / 1_000} s, three attempts. ` +
    "A slow server takes 25 × as long, a cold one up to 15 ×, a failing one says UNAVAILABLE at once.",
  targets: [
    {
      what: "calls that failed with the defaults (p2c), all troubles together",
      atMost: 0,
      unit: "",
      measured: failedByDefault,
    },
    {
      what: "worst p99 of the defaults beside that of grpc-js in the same trouble",
      atMost: 1,
      unit: " ×",
      measured: Math.max(...ratios),
    },
  ],
  details,
});

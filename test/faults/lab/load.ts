/** Steady calls of "talk" from this process: some callers, each of whom makes its next call soon after the one before ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch } from "rollcall";
import { etcd } from "rollcall/etcd";
import { type BalancedGrpcClient, type GrpcClientOptions, grpcClient } from "rollcall/grpc";
import { expect } from "vitest";
import { Talk } from "../../support/talk_pb.js";

export interface LoadOptions extends Omit<GrpcClientOptions, "service" | "registry"> {
  /** Of etcd. */
  readonly endpoints: readonly string[];
  /** Loading begins when so many servers are ready; default 3. */
  readonly servers?: number;
  /** Default 10. */
  readonly callers?: number;
}

export interface Load extends AsyncDisposable {
  readonly client: BalancedGrpcClient<typeof Talk>;
  /** How many calls have begun. */
  readonly calls: number;
  readonly failures: readonly unknown[];
  /** How many attempts were sent to `address` since `sinceMs` of `performance.now()`. */
  attemptsAt(address: string, sinceMs?: number): number;
  /** Waits for so many more calls to begin. */
  more(calls: number): Promise<void>;
  /** Begins no more calls, and resolves when those in flight have ended. */
  stop(): Promise<void>;
}

// The deadline is far off, so that a busy machine fails no call.
const CLIENT_DEFAULTS = { timeoutMs: 30_000, logger: false } as const;
const DEFAULTS = { servers: 3, callers: 10 };
const PAUSE_MS = 40;

export async function startLoad({ endpoints, servers, callers, ...options }: LoadOptions): Promise<Load> {
  const registry = etcd({ endpoints, logger: false });
  const client = grpcClient(Talk, { ...CLIENT_DEFAULTS, ...options, registry, service: "talk" });
  const failures: unknown[] = [];
  const attempts: { readonly address: string; readonly atMs: number }[] = [];
  let calls = 0;
  let loading = true;

  const call = () =>
    client.call((talk, context) => {
      attempts.push({ address: context.instance.address, atMs: performance.now() });
      return talk.say({ text: "hello" }, context);
    });
  const caller = async () => {
    await sleep(PAUSE_MS * Math.random());
    for (; loading; await sleep(PAUSE_MS)) {
      calls += 1;
      await call().catch((error: unknown) => failures.push(error));
    }
  };

  await firstMatch(client.endpoints.availability, ({ ready }) => ready >= (servers ?? DEFAULTS.servers));
  const running = Promise.all(Array.from({ length: callers ?? DEFAULTS.callers }, caller));
  const stop = async () => {
    loading = false;
    await running;
    await client.close();
    await registry.close();
  };
  return {
    client,
    get calls() {
      return calls;
    },
    failures,
    attemptsAt: (address, sinceMs = 0) =>
      attempts.filter((one) => one.address === address && one.atMs >= sinceMs).length,
    async more(count) {
      for (const goal = calls + count; calls < goal; ) await sleep(PAUSE_MS);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Stops `loads` and holds them to having lost nothing. */
export async function lostNothing(...loads: readonly Load[]): Promise<void> {
  await Promise.all(loads.map((load) => load.stop()));
  for (const { failures } of loads) expect(failures.map(String)).toEqual([]);
}

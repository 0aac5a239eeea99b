/** One call through discovery, balancing and retry, and what to report of it. */
import { grpcClient } from "../../adapters/grpc/index.js";
import { type Call, type ClientOptions, firstMatch } from "../../index.js";
import { type CallResult, failure } from "./call-result.js";
import { incidents } from "./incidents.js";
import type { ProtoMethod } from "./proto-method.js";
import { roundMs } from "./summary.js";

export interface MethodCaller extends AsyncDisposable {
  /** Resolves when a connection to every known instance is made or has failed, or when `signal` aborts. */
  connected(signal: AbortSignal): Promise<void>;
  /** Never rejects: a failure is a result too. `sinceMs` is when the call's time began, on `performance.now()`'s clock. */
  call(request: object, sinceMs: number): Promise<CallResult>;
}

/** What proto-loader's clients are, for a method with one request and one reply. */
type UntypedClient = Readonly<
  Record<string, (request: object, options: { deadlineMs: number; signal: AbortSignal }) => Promise<object>>
>;

export function methodCaller(
  { name, service, idempotent }: ProtoMethod,
  options: Omit<ClientOptions<unknown>, "connect">,
): MethodCaller {
  const startedMs = performance.now();
  const told = incidents(
    (line) => void process.stderr.write(`${line}\n`),
    () => performance.now() - startedMs,
  );
  const client = grpcClient(service, {
    ...options,
    idempotent: options.idempotent || idempotent,
    logger: told.logger,
  });
  const watching = client.membership.subscribe((membership) => told.viewed(membership));
  const balanced = client.call as unknown as Call<UntypedClient>; // its types end where a .proto is read at run time

  return {
    async connected(signal) {
      const { availability } = client.endpoints;
      await firstMatch(availability, ({ total, connecting }) => total > 0 && connecting === 0, signal).catch(() => {}); // aborted
    },
    async call(request, sinceMs) {
      const elapsedMs = () => roundMs(performance.now() - sinceMs);
      let attempts = 0;
      try {
        const { address, reply } = await balanced(async (methods, { instance, attempt, deadlineMs, signal }) => {
          attempts = Math.max(attempts, attempt);
          const reply = (await methods[name]?.(request, { deadlineMs, signal })) ?? {};
          return { address: instance.address, reply };
        });
        return { ok: true, address, attempts, ms: elapsedMs(), reply };
      } catch (error) {
        return failure(error, elapsedMs());
      }
    },
    async [Symbol.asyncDispose]() {
      watching[Symbol.dispose]();
      await client.close();
    },
  };
}

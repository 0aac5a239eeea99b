/** The methods of a service as calls through a balancer. */
import { type Call, type CallContext, type CallOptions, type Clock, systemClock } from "../../../index.js";
import { type MetadataInput, mergeMetadata } from "../metadata.js";
import type { MethodTable, ServiceMethod } from "../methods.js";
import type { GrpcCallOptions, TransportCallOptions } from "../transport.js";
import { BalancedStream } from "./balanced-stream.js";
import { ReplayedRequests } from "./replayed-requests.js";
import type { ClientFunction, UntypedClient } from "./typed-client.js";

/** What a call through a balancer may say. `onHeader` and `onTrailer` hear of each attempt. */
export interface BalancedCallOptions extends GrpcCallOptions, Pick<CallOptions, "idempotent" | "hashKey" | "exclude"> {}

export interface BalancedMethodsOptions {
  /** What `call` takes a call to be that does not say; absent: what the .proto says of each method. */
  readonly idempotent?: boolean | undefined;
  readonly clock?: Clock | undefined;
}

export function balancedMethods(
  methods: MethodTable,
  call: Call<UntypedClient>,
  { idempotent, clock = systemClock }: BalancedMethodsOptions,
): UntypedClient {
  return Object.fromEntries(
    [...methods].map(([name, method]) => {
      const defaults =
        idempotent === undefined && method.idempotent ? { method: name, idempotent: true } : { method: name };
      return [name, balancedMethod(name, method, call, defaults, clock)];
    }),
  );
}

function balancedMethod(
  name: string,
  { requestStream, responseStream }: ServiceMethod,
  call: Call<UntypedClient>,
  unaryDefaults: CallOptions,
  clock: Clock,
): ClientFunction {
  const defaults =
    requestStream || responseStream ? { ...unaryDefaults, timeoutMs: Number.POSITIVE_INFINITY } : unaryDefaults;

  if (responseStream) {
    return (input, options) =>
      new BalancedStream({
        call,
        callOptions: callOptions(options, defaults, clock),
        requests: requestStream ? input : [input],
        open: (client, requests, context) => {
          const sent = requestStream ? requests : input;
          return invoke(client, name, sent, wireOptions(options, context)) as AsyncIterable<unknown>;
        },
      });
  }
  if (requestStream) {
    return async (input, options) => {
      const requests = new ReplayedRequests<unknown>(input);
      const attempt = async (client: UntypedClient, context: CallContext) =>
        invoke(client, name, requests.attempt(), wireOptions(options, context));
      return call(attempt, callOptions(options, defaults, clock)).finally(() => requests.close());
    };
  }
  return (request, options) =>
    call(
      (client, context) => invoke(client, name, request, wireOptions(options, context)) as Promise<unknown>,
      callOptions(options, defaults, clock),
    );
}

function invoke(client: UntypedClient, name: string, input: unknown, options: TransportCallOptions): unknown {
  return (client[name] as ClientFunction)(input as never, options); // every client has every method of the service
}

function callOptions(options: BalancedCallOptions | undefined, defaults: CallOptions, clock: Clock): CallOptions {
  if (options === undefined) return defaults;
  const { timeoutMs, deadlineMs } = options;
  const leftMs =
    deadlineMs === undefined
      ? timeoutMs
      : Math.min(Math.max(0, deadlineMs - clock.nowMs()), timeoutMs ?? Number.POSITIVE_INFINITY);
  return {
    method: defaults.method,
    signal: options.signal,
    timeoutMs: leftMs ?? defaults.timeoutMs,
    idempotent: options.idempotent ?? defaults.idempotent,
    hashKey: options.hashKey,
    exclude: options.exclude,
  };
}

/** An attempt's deadline and cancellation are its context's; the caller's own are the whole call's. */
function wireOptions(options: BalancedCallOptions | undefined, context: CallContext): TransportCallOptions {
  const { deadlineMs, attempt } = context;
  const metadata = attempt === 1 ? options?.metadata : withPreviousAttempts(options?.metadata, attempt - 1);
  return { metadata, onHeader: options?.onHeader, onTrailer: options?.onTrailer, deadlineMs, cancellation: context };
}

/** Tells the server that it is not the first to be asked, as gRFC A6 has it. */
function withPreviousAttempts(metadata: MetadataInput | undefined, attempts: number): MetadataInput {
  const told = mergeMetadata(undefined, metadata);
  told.set("grpc-previous-rpc-attempts", String(attempts));
  return told;
}

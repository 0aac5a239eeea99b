/** A gRPC service by name: the whole path, from the registry to the reply, behind the service's own methods. */
import { type ClientOptions, client, type ServiceClient } from "../../../index.js";
import { refuseUnknownOptions } from "../../../known-options.js";
import type { ClientClass, GrpcClient, ServiceSource } from "../client-types.js";
import { methodsOf } from "../methods.js";
import { type BalancedCallOptions, balancedMethods } from "./balanced-methods.js";
import { connectMethods, type GrpcConnectOptions } from "./connect.js";
import type { UntypedClient } from "./typed-client.js";

export interface GrpcClientOptions
  extends Omit<ClientOptions<unknown>, "connect">,
    Omit<GrpcConnectOptions, "service"> {
  /**
   * Whether calls may be repeated after a server may have seen them. A call's own option goes before it; without either, the
   * method's `idempotency_level` in the .proto decides, and by default no call is.
   */
  readonly idempotent?: boolean | undefined;
  /**
   * The deadline of a unary call that brings none, waiting and all attempts included; default 10,000 ms, `Infinity` for
   * none. Streams have only the deadline that they are called with, and it covers them to their end.
   */
  readonly timeoutMs?: number | undefined;
}

const KNOWN: Readonly<Record<keyof GrpcClientOptions, true>> = {
  registry: true,
  service: true,
  idempotent: true,
  timeoutMs: true,
  inheritDeadline: true,
  layers: true,
  retry: true,
  strategy: true,
  subset: true,
  metric: true,
  ejection: true,
  whenEmpty: true,
  drainMs: true,
  tls: true,
  callCredentials: true,
  interceptors: true,
  channelOptions: true,
  metadata: true,
  clock: true,
  random: true,
  logger: true,
};

/** The service's methods, and beside them what belongs to any client; where names collide, a method is reached by `call`. */
export type BalancedGrpcClient<S extends ServiceSource | ClientClass> = Omit<
  GrpcClient<S, BalancedCallOptions>,
  keyof ServiceClient<unknown>
> &
  ServiceClient<GrpcClient<S>>;

/**
 * A client of `service` that finds its instances in `registry`, spreads calls over them and tries again what fails.
 * It takes services of protoc-gen-es, grpc-js service definitions and grpc-js client classes with a `service`.
 *
 * Calls that fail reject with a `CallError` whose `cause` is the last attempt's `ServiceError`, or with the `RollcallError`
 * that kept them from being sent. The client is the caller's to close; the registry stays open.
 */
export function grpcClient<S extends ServiceSource | ClientClass>(
  service: S,
  options: GrpcClientOptions,
): BalancedGrpcClient<S> {
  refuseUnknownOptions("grpcClient()", options, KNOWN);
  const { tls, callCredentials, interceptors, channelOptions, metadata, ...path } = options;
  const methods = methodsOf(service);
  const core = client<UntypedClient>({ ...path, connect: connectMethods(methods, options) });
  return { ...balancedMethods(methods, core.call, options), ...core } as unknown as BalancedGrpcClient<S>; // made from S
}

/** gRPC connections for an endpointer: one grpc-js channel for each instance, shared by all methods and calls. */
import type { CallCredentials, ChannelOptions, Client, Interceptor } from "@grpc/grpc-js";
import { type Clock, type Connect, type Connection, type Logger, systemClock } from "../../../index.js";
import { refuseUnknownOptions } from "../../../known-options.js";
import type { ClientClass, GrpcClient, ServiceSource } from "../client-types.js";
import { type MetadataInput, mergeMetadata, metadataInterceptor } from "../metadata.js";
import { isClientClass, type MethodTable, methodsOf } from "../methods.js";
import { type ClientTlsOptions, clientSecurity } from "../tls.js";
import type { GrpcTransport } from "../transport.js";
import { witnessInterceptor } from "./call-witness.js";
import { GrpcJsTransport } from "./grpc-js-transport.js";
import { InstanceChannel } from "./instance-channel.js";
import { outcomeOf } from "./outcome-of.js";
import { typedClient, type UntypedClient } from "./typed-client.js";

export interface GrpcConnectOptions {
  /** The service's name, which TLS certificates are expected to carry; `grpcClient` fills it in. */
  readonly service?: string | undefined;
  /** TLS; `true` trusts the system's roots. Default: none, everything travels in clear text. */
  readonly tls?: true | ClientTlsOptions | undefined;
  /** Credentials added to each call, such as a token; only with `tls`. */
  readonly callCredentials?: CallCredentials | undefined;
  /** grpc-js interceptors, outermost first. */
  readonly interceptors?: readonly Interceptor[] | undefined;
  /**
   * grpc-js channel options, over rollcall's own: a local subchannel pool, no retries, no proxy from the environment,
   * reconnecting after 250 ms to 5 s, no idle timeout.
   */
  readonly channelOptions?: ChannelOptions | undefined;
  /** Sent with every call. */
  readonly metadata?: MetadataInput | undefined;
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | false | undefined;
}

const KNOWN: Readonly<Record<keyof GrpcConnectOptions, true>> = {
  service: true,
  tls: true,
  callCredentials: true,
  interceptors: true,
  channelOptions: true,
  metadata: true,
  clock: true,
  logger: true,
};

/**
 * Connects to instances of a gRPC service. For a service of protoc-gen-es or a grpc-js service definition the client has
 * typed methods with promises and async iterables; for a grpc-js client class it is an instance of that class.
 *
 * Throws an `INVALID_ARGUMENT` error for an unknown option and for TLS options that cannot be used.
 */
export function grpcConnect<C extends Client>(service: ClientClass<C>, options?: GrpcConnectOptions): Connect<C>;
export function grpcConnect<S extends ServiceSource>(service: S, options?: GrpcConnectOptions): Connect<GrpcClient<S>>;
export function grpcConnect(service: ServiceSource | ClientClass, options: GrpcConnectOptions = {}): Connect<unknown> {
  refuseUnknownOptions("grpcConnect()", options, KNOWN);
  if (!isClientClass(service)) return connectMethods(methodsOf(service), options);
  const { security, open } = channels(options);
  const interceptors = [
    ...(options.interceptors ?? []),
    ...(options.metadata ? [metadataInterceptor(options.metadata)] : []),
  ];
  return ({ address }) => {
    const channel = open(address);
    const client = new service(address, security.credentials(), {
      channelOverride: channel,
      interceptors: [...interceptors, witnessInterceptor(channel)],
    });
    return connection(client, channel);
  };
}

/** Typed clients, for whoever has the methods already. */
export function connectMethods(methods: MethodTable, options: GrpcConnectOptions): Connect<UntypedClient> {
  const { clock = systemClock, interceptors } = options;
  const { open } = channels(options);
  const metadata = options.metadata && mergeMetadata(undefined, options.metadata);
  return ({ address }) => {
    const transport = new GrpcJsTransport(open(address), { clock, metadata, interceptors });
    return connection(typedClient(methods, transport), transport);
  };
}

function channels(options: GrpcConnectOptions) {
  const { clock = systemClock } = options;
  const security = clientSecurity(options);
  return {
    security,
    open: (address: string) => new InstanceChannel(address, security, clock, options.channelOptions),
  };
}

function connection<C>(
  client: C,
  wire: Pick<GrpcTransport, "status" | "connect" | "suspect" | "close">,
): Connection<C> {
  return {
    client,
    status: wire.status,
    connect: () => wire.connect(),
    suspect: (silentMs) => wire.suspect(silentMs),
    outcomeOf,
    [Symbol.asyncDispose]: async () => wire.close(),
  };
}

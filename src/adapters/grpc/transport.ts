/**
 * The boundary between the typed client and whatever carries its calls to one instance. It is small on purpose: unary and
 * stream are all that gRPC has on the wire, so another HTTP/2 client can take the place of `@grpc/grpc-js`.
 */
import type { Metadata } from "@grpc/grpc-js";
import type { CallContext, ConnectionStatus, Live, Outcome } from "../../index.js";
import type { MetadataInput } from "./metadata.js";

/** A method as a transport needs it; every grpc-js `MethodDefinition` is one. */
export interface GrpcMethod<I, O> {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: I) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => O;
}

export interface GrpcCallOptions {
  /** Cancels the call, here and on the server. */
  readonly signal?: AbortSignal | undefined;
  /** The call's deadline from now on, carried to the server as `grpc-timeout`. The earlier of this and `deadlineMs` holds. */
  readonly timeoutMs?: number | undefined;
  /** The call's deadline on the monotonic clock, as a `CallContext` has it; `Infinity` for none. */
  readonly deadlineMs?: number | undefined;
  /** Added to the connection's own metadata; a key of both carries the values of both. */
  readonly metadata?: MetadataInput | undefined;
  /** Told the server's headers, before the first message. */
  readonly onHeader?: ((header: Metadata) => void) | undefined;
  /** Told the server's trailers, when the call ends, also when it fails. */
  readonly onTrailer?: ((trailer: Metadata) => void) | undefined;
}

/** For the code between the public options and the wire. */
export interface TransportCallOptions extends GrpcCallOptions {
  /** What `signal` is, without its cost. */
  readonly cancellation?: Pick<CallContext, "onCancel"> | undefined;
}

/** The way to one instance. Failed calls reject with a `ServiceError`: code, details and metadata as they were received. */
export interface GrpcTransport {
  unary<I, O>(method: GrpcMethod<I, O>, request: I, options?: TransportCallOptions): Promise<O>;
  /**
   * Any other kind of call; it starts at once. A failure of `requests` cancels the call and is what the reader gets.
   * Leaving the loop over the responses cancels the call.
   */
  stream<I, O>(
    method: GrpcMethod<I, O>,
    requests: Iterable<I> | AsyncIterable<I>,
    options?: TransportCallOptions,
  ): AsyncIterable<O>;
  readonly status: Live<ConnectionStatus>;
  /** Starts connecting when it is idle. */
  connect(): void;
  /** Replaces the connection if nothing at all arrived on it for `silentMs`; calls in flight are left to end as they will. */
  suspect(silentMs: number): void;
  /** What an error of this transport means. */
  outcomeOf(error: unknown): Outcome;
  /** Takes no more calls; those in flight finish. */
  close(): void;
}

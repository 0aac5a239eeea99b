/**
 * rollcall for gRPC, over `@grpc/grpc-js`. The way of a call through `client/` and, at the other end, `server/`:
 *
 *     client ─▶ balanced-methods ─▶ typed-client ─▶ transport: grpc-js-transport ─▶ instance-channel ─▶ the wire
 *               (balanced-stream,   (connect makes            (response-stream,
 *               replayed-requests)  one per instance)         call-witness, outcome-of)
 *
 *     the wire ─▶ grpc-js-handler ─▶ the service's own handler, with a handler-context
 *                 (serve sets it up: handlers, health, advertise, open-calls, shutdown-signal)
 */

// What a program uses.

export type { BalancedCallOptions } from "./client/balanced-methods.js";
export { type BalancedGrpcClient, type GrpcClientOptions, grpcClient } from "./client/client.js";
export { type GrpcConnectOptions, grpcConnect } from "./client/connect.js";
export type { ClientClass, GrpcClient, ServiceSource } from "./client-types.js";
export { GrpcError, type GrpcStatusName } from "./grpc-error.js";
export type { MetadataInput } from "./metadata.js";
export type { HandlerContext } from "./server/handler-context.js";
export type { ImplementationOf, ServiceImplementation } from "./server/handlers.js";
export { type ServeHandle, type ServeOptions, serve } from "./server/serve.js";
export type { ClientTlsOptions, Pem, ServerTlsOptions } from "./tls.js";
export type { GrpcCallOptions } from "./transport.js";

// What another transport or a connection of one's own is built from.

export { outcomeOf } from "./client/outcome-of.js";
export type { GrpcMethod, GrpcTransport, TransportCallOptions } from "./transport.js";

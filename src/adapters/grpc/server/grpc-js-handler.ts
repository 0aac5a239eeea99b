/** A handler with promises and async iterables as one with grpc-js's callbacks and streams. */
import type { DescMethod } from "@bufbuild/protobuf";
import {
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { CallHandlerContext, type HandlerContext } from "./handler-context.js";

/** A handler whose messages are just objects: the types of a service have done their work where it was written. */
export type AnyHandler = (input: never, context: HandlerContext) => object;

type WritableCall = ServerWritableStream<object, object> | ServerDuplexStream<object, object>;

export function grpcJsHandler(kind: DescMethod["methodKind"], handler: AnyHandler): UntypedHandleCall {
  switch (kind) {
    case "unary":
      return (call: ServerUnaryCall<object, object>, reply: sendUnaryData<object>) =>
        void replyOnce(new CallHandlerContext(call), (context) => handler(call.request as never, context), reply);
    case "client_streaming":
      return (call: ServerReadableStream<object, object>, reply: sendUnaryData<object>) =>
        void replyOnce(new CallHandlerContext(call), (context) => handler(requestsOf(call) as never, context), reply);
    case "server_streaming":
      return (call: ServerWritableStream<object, object>) =>
        void replyMany(call, (context) => handler(call.request as never, context));
    case "bidi_streaming":
      return (call: ServerDuplexStream<object, object>) =>
        void replyMany(call, (context) => handler(requestsOf(call) as never, context));
  }
}

async function replyOnce(
  context: CallHandlerContext,
  handle: (context: HandlerContext) => object,
  reply: sendUnaryData<object>,
): Promise<void> {
  try {
    const response = await handle(context);
    context.sendHeaders();
    reply(null, response, context.finish());
  } catch (error) {
    context.sendHeaders();
    reply(failure(error, context.finish()));
  }
}

async function replyMany(call: WritableCall, handle: (context: HandlerContext) => object): Promise<void> {
  const context = new CallHandlerContext(call);
  try {
    for await (const response of handle(context) as AsyncIterable<object>) {
      if (call.cancelled) return;
      context.sendHeaders();
      if (!call.write(response)) await writable(call);
    }
    context.sendHeaders();
    call.end(context.finish());
  } catch (error) {
    if (call.cancelled) return;
    context.sendHeaders();
    call.emit("error", failure(error, context.finish()));
  }
}

/** The requests of a stream; a handler may stop reading them and still reply, which the plain iterator would prevent. */
function requestsOf(
  call: ServerReadableStream<object, object> | ServerDuplexStream<object, object>,
): AsyncIterable<object> {
  return call.iterator({ destroyOnReturn: false });
}

/** Resolves when the stream takes more, or will never again. */
function writable(call: WritableCall): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      call.off("drain", settle);
      call.off("close", settle);
      resolve();
    };
    call.on("drain", settle);
    call.on("close", settle);
  });
}

/** What the client gets to see of what a handler threw. */
function failure(error: unknown, trailers: Metadata | undefined) {
  const thrown = error as { readonly code?: unknown; readonly details?: unknown; readonly metadata?: unknown } | null;
  const metadata = thrown?.metadata instanceof Metadata ? thrown.metadata.clone() : new Metadata();
  if (trailers) metadata.merge(trailers);
  const text = error instanceof Error ? error.message : String(error);
  return isFailureCode(thrown?.code)
    ? { code: thrown.code, details: typeof thrown.details === "string" ? thrown.details : text, metadata }
    : { code: status.UNKNOWN, details: text, metadata };
}

function isFailureCode(code: unknown): code is status {
  return typeof code === "number" && code !== status.OK && status[code] !== undefined;
}

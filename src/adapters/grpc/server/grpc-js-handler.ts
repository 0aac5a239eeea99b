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
import { CallError, type Clock, type whileAnswering } from "../../../index.js";
import { CallHandlerContext, type HandlerContext } from "./handler-context.js";

/** A handler whose messages are just objects: the types of a service have done their work where it was written. */
export type AnyHandler = (input: never, context: HandlerContext) => object;

type OnceCall = ServerUnaryCall<object, object> | ServerReadableStream<object, object>;
type WritableCall = ServerWritableStream<object, object> | ServerDuplexStream<object, object>;

/** How handlers are run. */
export interface Answering {
  readonly clock: Clock;
  readonly within: typeof whileAnswering;
}

/** Runs a handler whose own calls inherit nothing. */
export const forItself: Answering["within"] = (_call, work) => work();

export function grpcJsHandler(
  kind: DescMethod["methodKind"],
  handler: AnyHandler,
  { clock, within }: Answering,
): UntypedHandleCall {
  const once = (call: OnceCall, input: object, reply: sendUnaryData<object>) => {
    const context = new CallHandlerContext(call, clock);
    void within(context, () => replyOnce(context, () => handler(input as never, context), reply));
  };
  const many = (call: WritableCall, input: object) => {
    const context = new CallHandlerContext(call, clock);
    void within(context, () => replyMany(call, context, () => handler(input as never, context)));
  };
  switch (kind) {
    case "unary":
      return (call: ServerUnaryCall<object, object>, reply: sendUnaryData<object>) => once(call, call.request, reply);
    case "client_streaming":
      return (call: ServerReadableStream<object, object>, reply: sendUnaryData<object>) =>
        once(call, requestsOf(call), reply);
    case "server_streaming":
      return (call: ServerWritableStream<object, object>) => many(call, call.request);
    case "bidi_streaming":
      return (call: ServerDuplexStream<object, object>) => many(call, requestsOf(call));
  }
}

/** A handler of grpc-js's own kind: the calls that it makes inherit the deadline, too. */
export type AnyGrpcJsHandler = (call: OnceCall | WritableCall, reply?: sendUnaryData<object>) => void;

export function withinItsCall(handler: AnyGrpcJsHandler, { clock, within }: Answering): UntypedHandleCall {
  if (within === forItself) return handler;
  return (call: OnceCall | WritableCall, reply?: sendUnaryData<object>) => {
    const context = new CallHandlerContext(call, clock);
    // Requests are events, and those come from the connection, which answers no call.
    const emit = call.emit.bind(call);
    call.emit = (...event) => within(context, () => emit(...event));
    if ("writableFinished" in call) call.once("finish", () => context.finish());
    const answer: typeof reply =
      reply &&
      ((...result) => {
        context.finish();
        reply(...result);
      });
    within(context, () => handler(call, answer));
  };
}

async function replyOnce(
  context: CallHandlerContext,
  handle: () => object,
  reply: sendUnaryData<object>,
): Promise<void> {
  try {
    const response = await handle();
    context.sendHeaders();
    reply(null, response, context.finish());
  } catch (error) {
    context.sendHeaders();
    reply(failure(error, context.finish()));
  }
}

async function replyMany(call: WritableCall, context: CallHandlerContext, handle: () => object): Promise<void> {
  try {
    for await (const response of handle() as AsyncIterable<object>) {
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
  } finally {
    context.finish(); // also when there was nobody left to answer
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
  if (hasBeenTriedBelow(error) && metadata.get(PUSHBACK).length === 0) metadata.set(PUSHBACK, "-1");
  const text = error instanceof Error ? error.message : String(error);
  return isFailureCode(thrown?.code)
    ? { code: thrown.code, details: typeof thrown.details === "string" ? thrown.details : text, metadata }
    : { code: status.UNKNOWN, details: text, metadata };
}

const PUSHBACK = "grpc-retry-pushback-ms";

/**
 * Whether a call that the handler made has failed for good. Then our callers are asked not to try again: each layer of
 * services that repeats what the one below has given up multiplies the load on the one that failed (three attempts on each of
 * five layers are 243; SRE book, ch. 22, and Finagle's `NonRetryable`). One that could not be repeated was made once: whether
 * the whole may be, our callers know.
 */
function hasBeenTriedBelow(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth += 1) {
    if (at instanceof CallError) return at.idempotent || at.attempts.length > 1;
  }
  return false;
}

function isFailureCode(code: unknown): code is status {
  return typeof code === "number" && code !== status.OK && status[code] !== undefined;
}

/** A service with every kind of method, served in this process, and what its handlers saw. */
import { once } from "node:events";
import { Metadata } from "@grpc/grpc-js";
import type { Registry } from "rollcall";
import {
  GrpcError,
  type HandlerContext,
  type ServeHandle,
  type ServeOptions,
  type ServiceImplementation,
  serve,
} from "rollcall/grpc";
import { Talk } from "./talk_pb.js";

export interface TalkServer extends AsyncDisposable {
  readonly handle: ServeHandle;
  /** The context of each call, in order of arrival. */
  readonly contexts: readonly HandlerContext[];
  /** Resolves once so many calls have arrived. */
  arrived(calls: number): Promise<void>;
}

/**
 * What a server does is told by the words it gets: `fail:CODE:details` fails with that code, `wait` answers only when the
 * call is cancelled, `throw` throws a plain error, anything else comes back. `Count` counts up to its number, waiting
 * before what is negative; `Sum` adds up; `Echo` repeats.
 */
export function talkImplementation(seen: (context: HandlerContext) => void): ServiceImplementation<typeof Talk> {
  const say = async (text: string, context: HandlerContext): Promise<string> => {
    seen(context);
    const [, code, details] = /^fail:(\w+):(.*)$/.exec(text) ?? [];
    if (code) {
      const metadata = new Metadata();
      metadata.set("reason", "because");
      throw new GrpcError(code as never, details ?? "", { metadata });
    }
    if (text === "throw") throw new Error("a mishap");
    if (text === "wait") await aborted(context.signal);
    return text;
  };
  return {
    say: async ({ text }, context) => {
      for (const [key, value] of Object.entries(context.metadata.getMap())) {
        if (key.startsWith("x-")) context.responseHeaders.set(key, value);
      }
      context.responseTrailers.set("x-peer", context.peer);
      return { text: await say(text, context) };
    },
    look: async ({ text }, context) => ({ text: await say(text, context) }),
    async *count({ value }, context) {
      seen(context);
      for (let number = 1; number <= Math.abs(value); number += 1) yield { value: number };
      if (value < 0) await aborted(context.signal);
      if (value === 0) throw new GrpcError("OUT_OF_RANGE", "nothing to count");
    },
    async sum(numbers, context) {
      seen(context);
      let sum = 0;
      for await (const { value } of numbers) {
        if (value < 0) return { value: -1 };
        sum += value;
      }
      return { value: sum };
    },
    async *echo(words, context) {
      seen(context);
      for await (const { text } of words) {
        if (text === "stop") return;
        yield { text: await say(text, context) };
      }
      yield { text: "end" };
    },
  };
}

/** `handlers` take the place of those that talk. */
export async function startTalk(
  registry: Registry,
  options: Partial<ServeOptions<readonly []>> = {},
  handlers: Partial<ServiceImplementation<typeof Talk>> = {},
): Promise<TalkServer> {
  const contexts: HandlerContext[] = [];
  let wake = () => {};
  const handle = await serve({
    registry,
    service: "talk",
    listen: "127.0.0.1:0",
    spreadMs: 0,
    drainMs: 200,
    signals: [],
    ...options,
    handlers: [
      [
        Talk,
        {
          ...talkImplementation((context) => {
            contexts.push(context);
            wake();
          }),
          ...handlers,
        },
      ],
    ],
  });
  return {
    handle,
    contexts,
    async arrived(calls) {
      while (contexts.length < calls) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}

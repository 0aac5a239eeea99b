/** An etcd client whose answers a test gives: every call and every stream waits until it is told what to say. */
import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type {
  EtcdBytesObserver,
  EtcdCallOptions,
  EtcdClient,
  EtcdStream,
  EtcdStreamObserver,
  EtcdStreamOptions,
} from "../../src/registry/etcd/client/client.js";

/** One unary call that waits for its answer. */
export interface ScriptedCall<I extends DescMessage, O extends DescMessage> {
  readonly request: MessageShape<I>;
  readonly options: EtcdCallOptions;
  /** Whether the caller gave it up. */
  readonly aborted: boolean;
  /** Resolves once the caller has seen the answer. */
  answer(response: MessageInitShape<O>): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** One stream, from the server's side. */
export interface ScriptedStream<I extends DescMessage, O extends DescMessage> {
  readonly member: string;
  readonly options: EtcdStreamOptions;
  /** What the caller sent, oldest first. */
  readonly sent: readonly MessageShape<I>[];
  /** How the caller ended it, if it did. */
  readonly ended: "cancelled" | { readonly failed: string } | undefined;
  /** Why the caller found the member slow, if it did. */
  readonly suspected: string | undefined;
  /** How often the caller asked for a new token on its account. */
  readonly tokenRenewals: number;
  message(message: MessageInitShape<O>): void;
  end(error: Error): void;
}

export interface ScriptedEtcdClient extends EtcdClient {
  /** Takes the oldest call of `method` that nobody took; throws when there is none. */
  nextCall<I extends DescMessage, O extends DescMessage>(method: DescMethodUnary<I, O>): ScriptedCall<I, O>;
  /** How many calls of `method` wait to be taken. */
  waitingCalls(method: DescMethodUnary<DescMessage, DescMessage>): number;
  nextStream<I extends DescMessage, O extends DescMessage>(method: DescMethodBiDiStreaming<I, O>): ScriptedStream<I, O>;
  waitingStreams(method: DescMethodBiDiStreaming<DescMessage, DescMessage>): number;
}

interface Untaken<T> {
  readonly method: object;
  readonly value: T;
}

/** Streams run on the members in turn. */
export function scriptedEtcdClient(members: readonly string[] = ["member-1", "member-2"]): ScriptedEtcdClient {
  const calls: Untaken<unknown>[] = [];
  const streams: Untaken<unknown>[] = [];
  let opened = 0;

  return {
    unary(method, request, options = {}) {
      return new Promise((resolve, reject) => {
        const onAbort = () => reject(options.signal?.reason);
        const over = () => options.signal?.removeEventListener("abort", onAbort);
        const call = {
          request: create(method.input, request),
          options,
          get aborted() {
            return options.signal?.aborted ?? false;
          },
          async answer(response: MessageInitShape<typeof method.output>) {
            over();
            resolve(create(method.output, response));
            await settled();
          },
          async fail(error: Error) {
            over();
            reject(error);
            await settled();
          },
        };
        options.signal?.addEventListener("abort", onAbort, { once: true });
        calls.push({ method, value: call });
      });
    },
    stream(method, observer, options) {
      const stream = scriptedStream(method, observer, options, members[opened++ % members.length] ?? "member");
      streams.push({ method, value: stream });
      return stream;
    },
    localAddress: async () => "127.0.0.1",
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
    nextCall: (method) => take(calls, method),
    waitingCalls: (method) => calls.filter((call) => call.method === method).length,
    nextStream: (method) => take(streams, method),
    waitingStreams: (method) => streams.filter((stream) => stream.method === method).length,
  };
}

function scriptedStream<I extends DescMessage, O extends DescMessage>(
  method: DescMethodBiDiStreaming<I, O>,
  observer: EtcdStreamObserver<MessageShape<O>> | EtcdBytesObserver,
  options: EtcdStreamOptions,
  member: string,
): ScriptedStream<I, O> & EtcdStream<MessageInitShape<I>> {
  const sent: MessageShape<I>[] = [];
  let ended: ScriptedStream<I, O>["ended"];
  let over = false;
  let suspected: string | undefined;
  let tokenRenewals = 0;
  const end = (error: Error) => {
    if (over) return;
    over = true;
    observer.onEnd(error);
  };
  return {
    member,
    options,
    sent,
    get ended() {
      return ended;
    },
    message(message) {
      if (over) return;
      const full = create(method.output, message);
      if ("onBytes" in observer) observer.onBytes(Buffer.from(toBinary(method.output, full)));
      else observer.onMessage(full);
    },
    end,
    send: (request) => void sent.push(create(method.input, request)),
    cancel() {
      ended ??= "cancelled";
      over = true;
    },
    get suspected() {
      return suspected;
    },
    suspect(reason) {
      suspected = reason;
    },
    fail(reason) {
      ended ??= { failed: reason };
      end(new Error(reason));
    },
    renewToken() {
      tokenRenewals += 1;
    },
    get tokenRenewals() {
      return tokenRenewals;
    },
  };
}

function take<T>(untaken: Untaken<unknown>[], method: object): T {
  const index = untaken.findIndex((each) => each.method === method);
  const [taken] = index < 0 ? [] : untaken.splice(index, 1);
  if (!taken) throw new Error("the client was not asked for this");
  return taken.value as T; // it was put there under its own method
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

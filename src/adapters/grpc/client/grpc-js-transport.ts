/** The transport over `@grpc/grpc-js`, public API only. */
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  type Interceptor,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { type Clock, type ConnectionStatus, type Live, type Outcome, RollcallError } from "../../../index.js";
import { mergeMetadata } from "../metadata.js";
import type { GrpcMethod, GrpcTransport, TransportCallOptions } from "../transport.js";
import { CallWitness } from "./call-witness.js";
import type { InstanceChannel } from "./instance-channel.js";
import { outcomeOf } from "./outcome-of.js";
import { ResponseStream } from "./response-stream.js";

export interface GrpcJsTransportOptions {
  readonly clock: Clock;
  /** Sent with every call. */
  readonly metadata?: Metadata | undefined;
  readonly interceptors?: readonly Interceptor[] | undefined;
}

export class GrpcJsTransport implements GrpcTransport {
  readonly #channel: InstanceChannel;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #metadata: Metadata | undefined;
  readonly #start: <R>(start: () => R) => R;

  constructor(channel: InstanceChannel, options: GrpcJsTransportOptions) {
    this.#channel = channel;
    this.#clock = options.clock;
    this.#metadata = options.metadata;
    const interceptors = [...(options.interceptors ?? [])];
    this.#start = interceptors.length === 0 ? withoutStackTraces : (start) => start();
    this.#client = new Client(channel.getTarget(), credentials.createInsecure(), {
      channelOverride: channel, // which has the credentials that count
      interceptors,
    });
  }

  get status(): Live<ConnectionStatus> {
    return this.#channel.status;
  }

  unary<I, O>(method: GrpcMethod<I, O>, request: I, options: TransportCallOptions = {}): Promise<O> {
    return new Promise((resolve, reject) => {
      // Here and not in grpc-js, which would report a request that cannot be encoded as the server's INTERNAL.
      const bytes = method.requestSerialize(request);
      const running = new RunningCall(this.#channel);
      const onEnd = (error: ServiceError | null, response?: O) => {
        running.ended();
        if (error !== null) return reject(running.explain(error));
        resolve(response as O); // grpc-js gives one or the other
      };
      const metadata = mergeMetadata(this.#metadata, options.metadata);
      const callOptions = this.#callOptions(options);
      const call = this.#start(() =>
        this.#client.makeUnaryRequest(
          method.path,
          asItIs,
          method.responseDeserialize,
          bytes,
          metadata,
          callOptions,
          onEnd,
        ),
      );
      call.once("metadata", (header: Metadata) => {
        running.received();
        options.onHeader?.(header);
      });
      if (options.onTrailer) call.on("status", ({ metadata }) => options.onTrailer?.(metadata));
      running.cancelWith(options, call);
    });
  }

  stream<I, O>(
    method: GrpcMethod<I, O>,
    requests: Iterable<I> | AsyncIterable<I>,
    options: TransportCallOptions = {},
  ): AsyncIterable<O> {
    const running = new RunningCall(this.#channel);
    const call: ClientDuplexStream<Buffer, O> = this.#client.makeBidiStreamRequest(
      method.path,
      asItIs,
      method.responseDeserialize,
      mergeMetadata(this.#metadata, options.metadata),
      this.#callOptions(options),
    );
    call.once("metadata", (header: Metadata) => {
      running.received();
      options.onHeader?.(header);
    });
    call.once("status", ({ metadata }) => {
      running.ended();
      options.onTrailer?.(metadata);
    });
    running.cancelWith(options, call);
    const responses = new ResponseStream(call, running);
    void responses.send(requests, method.requestSerialize);
    return responses;
  }

  connect(): void {
    this.#channel.connect();
  }

  suspect(silentMs: number): void {
    this.#channel.suspect(silentMs);
  }

  outcomeOf(error: unknown): Outcome {
    return outcomeOf(error);
  }

  close(): void {
    this.#channel.close();
  }

  #callOptions({ timeoutMs, deadlineMs }: TransportCallOptions): CallOptions {
    const leftMs = Math.min(
      timeoutMs ?? Number.POSITIVE_INFINITY,
      deadlineMs === undefined ? Number.POSITIVE_INFINITY : deadlineMs - this.#clock.nowMs(),
    );
    return leftMs === Number.POSITIVE_INFINITY ? NO_DEADLINE : { deadline: this.#clock.epochMs() + leftMs };
  }
}

const NO_DEADLINE: CallOptions = {};

const asItIs = (bytes: Buffer): Buffer => bytes;

/**
 * Runs `work`, which must be grpc-js's own code only, with errors that capture no stack. grpc-js makes an error at the start of each call, for the case that it fails;
 * this far below the caller its ten frames are rollcall's own, and capturing them costs more than balancing and retrying do.
 * (Node's own `hideStackFrames` and `AbortError` use the same means.)
 */
function withoutStackTraces<R>(work: () => R): R {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** One call: how it is cancelled, and why it was. */
class RunningCall {
  readonly #witness: CallWitness;
  #reason: unknown;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor(channel: InstanceChannel) {
    this.#witness = new CallWitness(channel);
  }

  cancelWith({ signal, cancellation }: TransportCallOptions, call: { cancel(): void }): void {
    const cancel = (reason: unknown) => {
      this.#reason ??= reason;
      this.#witness.cancelled();
      call.cancel();
    };
    cancellation?.onCancel(cancel);
    if (signal === undefined) return;
    this.#signal = signal;
    this.#onAbort = () => cancel(signal.reason);
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  received(): void {
    this.#witness.received();
  }

  /** Lets go of the signal. */
  ended(): void {
    if (this.#onAbort) this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
  }

  /** `error` as it was received, with what is known of the call on record. */
  explain(error: ServiceError): ServiceError {
    if (!this.#witness.failed(error)) return error;
    error.cause ??= this.#reason;
    if (this.#reason instanceof RollcallError && this.#reason.code === "DEADLINE_EXCEEDED") {
      // What grpc-js says itself when its own timer for the same deadline is first.
      error.code = status.DEADLINE_EXCEEDED;
      error.details = this.#reason.message;
      error.message = `${error.code} DEADLINE_EXCEEDED: ${error.details}`;
    }
    return error;
  }
}

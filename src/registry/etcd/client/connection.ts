/**
 * One connection to one member, from the dial to its end.
 *
 * Why it never reconnects: grpc-js would, by itself and after a backoff of its own, and then nobody can tell whether a
 * request was sent or on which connection a stream lives. Here a connection that ended is thrown away, the choice of the
 * next member is ours, and "ready" means that whatever was not handed to it was never sent.
 */
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  connectivityState,
  type Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { Clock } from "../../../clock.js";
import { dialFailure } from "./dial-failure.js";
import { hostOf } from "./endpoint-list.js";
import { EtcdError, statusError } from "./etcd-error.js";
import { type Liveness, liveness } from "./liveness.js";
import type { Security } from "./tls.js";

export interface ConnectionSettings {
  readonly security: Security;
  readonly dialTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly clock: Clock;
}

/** A request in its wire form. */
export interface WireRequest {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly metadata: Metadata;
}

export interface WireObserver {
  onMessage(bytes: Buffer): void;
  /** Told once, also when etcd ended the stream without an error. */
  onEnd(error: EtcdError): void;
}

export interface WireStream {
  send(bytes: Buffer): void;
  /** Ends it without a word to the observer. */
  cancel(): void;
}

interface ActiveCall {
  end(error: EtcdError): void;
}

/** A member that does not answer a ping within this time is gone; the probe is quicker, and pings cover unary calls. */
const KEEP_ALIVE_TIMEOUT_MS = 3_000;
/** A connection without calls is closed after this time. */
const IDLE_MS = 60_000;

/** `retired` takes no new calls and lets those in flight end. */
export type ConnectionState = "dialling" | "ready" | "retired" | "closed";

export class Connection {
  readonly target: string;
  /** Resolves when the member has spoken HTTP/2 with us; until then nothing was sent. */
  readonly ready: Promise<void>;
  /** Of the certificates that it was made with. */
  readonly securityVersion: number;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #active = new Set<ActiveCall>();
  /** The streams among the active calls, each with what may be asked on its behalf. */
  readonly #streams = new Map<ActiveCall, WireRequest>();
  readonly #onClosed: () => void;
  #state: ConnectionState = "dialling";
  #liveness: Liveness | undefined;

  constructor(target: string, settings: ConnectionSettings, onClosed: () => void) {
    this.target = target;
    this.#onClosed = onClosed;
    this.#clock = settings.clock;
    const { credentials, options } = settings.security.for(hostOf(target));
    this.securityVersion = settings.security.version;
    this.#client = new Client(`dns:${target}`, credentials, { ...options, ...channelOptions(settings.keepAliveMs) });
    this.ready = this.#dial(settings.dialTimeoutMs);
    this.ready.catch(() => {}); // whoever needs it awaits it
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Whether a new call may go over it, at once or when it is ready. */
  get usable(): boolean {
    return this.#state === "dialling" || this.#state === "ready";
  }

  /** One unary call on a ready connection. Aborting `signal` rejects with its reason. */
  unary(request: WireRequest, signal: AbortSignal): Promise<Buffer> {
    return this.#state === "ready" ? this.#ask(request, signal) : Promise.reject(this.#givenUp());
  }

  /**
   * A stream on a ready connection. While it is open and nothing is heard, `probe` is asked; when that is not answered
   * either, every call on the connection ends as `unavailable`.
   */
  stream(request: Omit<WireRequest, "bytes">, probe: WireRequest, observer: WireObserver): WireStream {
    if (this.#state !== "ready") throw this.#givenUp();
    const call: ClientDuplexStream<Buffer, Buffer> = this.#client.makeBidiStreamRequest(
      request.path,
      asIs,
      // Here grpc-js asks for a message to be read. What cannot be read ends the stream; thrown from an event of the stream
      // it would end the process.
      (bytes) => {
        if (this.#streams.has(active)) observer.onMessage(bytes);
        return bytes;
      },
      request.metadata,
    );
    const finish = (): boolean => {
      if (!this.#streams.delete(active)) return false;
      this.#ended(active);
      call.cancel();
      return true;
    };
    const active: ActiveCall = {
      end: (error) => {
        if (finish()) observer.onEnd(error);
      },
    };
    this.#active.add(active);
    this.#streams.set(active, probe);
    this.#liveness ??= this.#listen();
    call.on("data", () => this.#liveness?.heard());
    call.on("error", (error: ServiceError) => active.end(this.#error(error)));
    call.on("end", () => active.end(this.#error({ code: status.UNAVAILABLE, details: "etcd ended the stream" })));
    return { send: (bytes) => void call.write(bytes), cancel: () => void finish() };
  }

  /** Takes no new calls, and closes when those in flight have ended. */
  retire(): void {
    if (!this.usable) return;
    this.#state = "retired";
    this.#closeWhenIdle();
  }

  /** Takes no new calls and ends its streams with `error`; other calls may still be answered. */
  leave(error: EtcdError): void {
    this.retire();
    for (const stream of [...this.#streams.keys()]) stream.end(error);
  }

  /** Ends every call with `error` and closes. */
  fail(error: EtcdError): void {
    this.retire();
    for (const active of [...this.#active]) active.end(error);
  }

  #dial(timeoutMs: number): Promise<void> {
    const channel = this.#client.getChannel();
    return new Promise((resolve, reject) => {
      const refuse = (reason: string) => {
        timer.cancel();
        this.retire();
        reject(new EtcdError("unavailable", status.UNAVAILABLE, `${this.target}: ${reason}`));
      };
      const timer = this.#clock.after(timeoutMs, () => refuse(`no connection within ${timeoutMs} ms`));
      const look = () => {
        if (this.#state !== "dialling") {
          timer.cancel();
          return reject(this.#givenUp());
        }
        const state = channel.getConnectivityState(true);
        if (state === connectivityState.READY) {
          timer.cancel();
          this.#state = "ready";
          channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => this.#left());
          resolve();
        } else if (state === connectivityState.TRANSIENT_FAILURE) {
          void this.#whyNot().then(refuse);
        } else {
          channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, look);
        }
      };
      look();
    });
  }

  /** grpc-js tells why it has no connection only to a call, which it then fails without sending it. */
  #whyNot(): Promise<string> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest("/etcdserverpb.Maintenance/Status", asIs, asIs, Buffer.alloc(0), (error) => {
        resolve(dialFailure(error?.details ?? "no connection"));
      });
    });
  }

  /** The member closes the connection: calls may still be answered, streams have to move. */
  #left(): void {
    this.retire();
    const error = this.#error({ code: status.UNAVAILABLE, details: "the member closed the connection" });
    // grpc-js ends the streams of a broken connection itself, with a better reason, in this very turn.
    setImmediate(() => this.leave(error));
  }

  #ask(request: WireRequest, signal?: AbortSignal): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const finish = (settle: () => void) => {
        signal?.removeEventListener("abort", onAbort);
        this.#ended(active);
        settle();
      };
      const active: ActiveCall = {
        end(error) {
          finish(() => reject(error));
          call.cancel();
        },
      };
      const onAbort = () => active.end(signal?.reason);
      this.#active.add(active);
      signal?.addEventListener("abort", onAbort, { once: true });
      const { path, bytes, metadata } = request;
      const call = this.#client.makeUnaryRequest(path, asIs, asIs, bytes, metadata, (error, reply) => {
        finish(() => (reply ? resolve(reply) : reject(this.#error(error))));
      });
    });
  }

  #listen(): Liveness {
    const ask = async () => {
      const [probe] = this.#streams.values();
      if (probe) await this.#ask(probe).catch(() => {}); // whatever etcd answers, it answers
    };
    return liveness(this.#clock, ask, () => {
      this.fail(new EtcdError("unavailable", status.UNAVAILABLE, `${this.target}: the member no longer answers`));
    });
  }

  #ended(active: ActiveCall): void {
    this.#active.delete(active);
    if (this.#streams.size === 0) {
      this.#liveness?.stop();
      this.#liveness = undefined;
    }
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#state !== "retired" || this.#active.size > 0) return;
    this.#state = "closed";
    this.#client.close();
    this.#onClosed();
  }

  #givenUp(): EtcdError {
    return new EtcdError("unavailable", status.UNAVAILABLE, `${this.target}: the connection was given up`);
  }

  #error(error: Pick<ServiceError, "code" | "details"> | null): EtcdError {
    return statusError(error?.code ?? status.UNKNOWN, error?.details ?? "", this.target, error ?? undefined);
  }
}

function channelOptions(keepAliveMs: number): ChannelOptions {
  return {
    "grpc.keepalive_time_ms": keepAliveMs,
    "grpc.keepalive_timeout_ms": KEEP_ALIVE_TIMEOUT_MS,
    "grpc.client_idle_timeout_ms": IDLE_MS,
    // etcd sends up to 2 GiB; grpc-js would refuse more than 4 MiB.
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    // Each connection has a TCP connection of its own, which ends with it.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.service_config_disable_resolution": 1,
    // etcd is spoken to directly, as `localAddress()` assumes.
    "grpc.enable_http_proxy": 0,
    // A connection never dials twice: it is closed as soon as its dial failed. grpc-js keeps a closed one in memory until
    // this time is over.
    "grpc.initial_reconnect_backoff_ms": 5_000,
    "grpc.max_reconnect_backoff_ms": 5_000,
  };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

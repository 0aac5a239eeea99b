/**
 * rollcall's own etcd v3 client: unary calls and streams over a few members, with failover, authentication and proof of
 * life. It knows the wire and no registration or watch.
 *
 * Why our own: see docs/decisions. Rules of the wire it keeps: HTTP/2 pings no faster than etcd allows (5 s), so a hung
 * member is noticed by a probe instead; a unary call has a deadline and moves to another member within it; `hasleader` on
 * every stream, so that a member without a leader does not keep us in silence.
 */
import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { Auth, KV } from "../proto/etcd_pb.js";
import { abortable } from "./call-scope.js";
import { type ClientPlan, type EtcdClientOptions, planClient } from "./client-options.js";
import { Cluster, type Effort, isFault } from "./cluster.js";
import type { WireObserver, WireRequest } from "./connection.js";
import { closedError, EtcdError } from "./etcd-error.js";
import { prefixRange } from "./key-range.js";
import type { Login } from "./login.js";
import {
  type EtcdBytesObserver,
  type EtcdStream,
  type EtcdStreamObserver,
  OpenStream,
  type StreamPlace,
} from "./stream.js";
import { noTokens, type Token, type Tokens, tokens } from "./token.js";
import { decode, encode, pathOf, tokenMetadata } from "./wire.js";

export type { EtcdClientOptions } from "./client-options.js";
export type { EtcdBytesObserver, EtcdStream, EtcdStreamObserver } from "./stream.js";
export type { EtcdTlsOptions } from "./tls.js";

export interface EtcdClient extends AsyncDisposable {
  /**
   * One unary call. Fails over to other members until `timeoutMs` is over, so that a member that was slow may do it as
   * well: a write has to bear that, as a transaction bound to a revision does. Rejects with an `EtcdError`.
   */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: EtcdCallOptions,
  ): Promise<MessageShape<O>>;
  /**
   * Opens a stream on the first member that answers; what is sent before waits. It never reopens by itself: `onEnd` is
   * told once, and the next stream is opened on another member when this one was at fault.
   */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    observer: EtcdStreamObserver<MessageShape<O>> | EtcdBytesObserver,
    options: EtcdStreamOptions,
  ): EtcdStream<MessageInitShape<I>>;
  /** The local address of a TCP connection to a member. */
  localAddress(options?: EtcdCallOptions): Promise<string>;
  /** Ends every stream with `CLOSED`, fails waiting calls and closes all connections. */
  close(): Promise<void>;
}

export interface EtcdCallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** Over all members; default 5,000 ms. */
  readonly timeoutMs?: number;
  /** Told, while the call goes on, when no member is left that answers, and whenever the reasons change. */
  readonly onSilence?: (error: Error) => void;
}

export interface EtcdStreamOptions {
  /**
   * Where the connection is probed when it was silent for 2 s: a serializable read of the key that is this prefix, the only
   * place where the caller is sure to have permission to read.
   */
  readonly probePrefix: string;
  /**
   * Opens it without a token when etcd refuses the user: up to 3.5 it renews a lease for whoever knows its id, and
   * a password that was changed must not end what is registered.
   */
  readonly evenIfRefused?: boolean;
}

/**
 * A simple token lives 300 s after its last use on each member (`--auth-token-ttl`), and a watch learns of an expired one
 * only in a message; so no stream starts with an old one.
 */
const STREAM_TOKEN_MAX_AGE_MS = 240_000;
/** A user database that is being changed makes tokens old as fast as they are got; that ends. */
const MAX_RENEWALS = 3;

/** Opens nothing before the first call. Throws `INVALID_ARGUMENT` for options that cannot be used. */
export function etcdClient(options: EtcdClientOptions): EtcdClient {
  return new Client(planClient(options));
}

class Client implements EtcdClient {
  readonly #cluster: Cluster;
  readonly #tokens: Tokens;
  readonly #streams = new Set<{ end(error: Error): void }>();
  #awaitsPassword = false;

  constructor(plan: ClientPlan) {
    const { login, clock, random } = plan;
    this.#cluster = new Cluster(plan);
    this.#tokens = login ? tokens({ clock, random, authenticate: () => this.#authenticate(login) }) : noTokens;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: EtcdCallOptions = {},
  ): Promise<MessageShape<O>> {
    const bytes = encode(method.input, request);
    const reply = await this.#cluster.effort(options, (effort) =>
      this.#authenticated(effort, (token) => {
        const wire: WireRequest = { path: pathOf(method), bytes, metadata: tokenMetadata(token) };
        return this.#cluster.send(wire, effort);
      }),
    );
    return decode(method.output, reply);
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    observer: EtcdStreamObserver<MessageShape<O>> | EtcdBytesObserver,
    options: EtcdStreamOptions,
  ): EtcdStream<MessageInitShape<I>> {
    const stream = new OpenStream({
      method,
      observer,
      likely: () => this.#cluster.preferred.target,
      blameLikely: (reason) => this.#cluster.blame(this.#cluster.preferred, reason),
      open: (wire, signal) => this.#openStream(pathOf(method), options, wire, signal),
      onOver: (over) => this.#streams.delete(over),
    });
    this.#streams.add(stream);
    return stream;
  }

  localAddress(options: EtcdCallOptions = {}): Promise<string> {
    return this.#cluster.effort(options, (effort) => this.#cluster.localAddress(effort));
  }

  async close(): Promise<void> {
    if (this.#cluster.closed) return;
    for (const stream of [...this.#streams]) stream.end(closedError());
    this.#cluster.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls with the token, and again with a new one when etcd refused it: it refuses before it does anything. */
  async #authenticated<T>({ signal, faults }: Effort, call: (token: Token) => Promise<T>): Promise<T> {
    for (let renewals = 0; ; renewals += 1) {
      const current = this.#tokens.current();
      if (this.#awaitsPassword) faults.set("password", "the function given as `password` has not answered yet");
      const token = await abortable(current, signal);
      faults.delete("password");
      try {
        return await call(token);
      } catch (error) {
        if (renewals === MAX_RENEWALS || !this.#tokens.mayHelp(error, token)) throw error;
        this.#tokens.distrust(token);
      }
    }
  }

  async #authenticate(login: Login): Promise<string> {
    const method = Auth.method.authenticate;
    this.#awaitsPassword = true;
    const password = await login.password().finally(() => {
      this.#awaitsPassword = false;
    });
    const bytes = encode(method.input, { name: login.user, password });
    const wire: WireRequest = { path: pathOf(method), bytes, metadata: tokenMetadata(undefined) };
    const reply = await this.#cluster.effort({}, (effort) => this.#cluster.send(wire, effort));
    return decode(method.output, reply).token;
  }

  async #openStream(
    path: string,
    { probePrefix, evenIfRefused }: EtcdStreamOptions,
    wire: WireObserver,
    ending: AbortSignal,
  ): Promise<StreamPlace> {
    const token = await abortable(this.#tokens.current(STREAM_TOKEN_MAX_AGE_MS), ending).catch((error: unknown) => {
      if (evenIfRefused && error instanceof EtcdError && error.kind === "denied") return undefined;
      throw error;
    });
    const { member, connection } = await this.#cluster.effort({ signal: ending }, (effort) =>
      this.#cluster.connect("streams", 1, effort),
    );
    const metadata = tokenMetadata(token);
    metadata.set("hasleader", "true");
    const stream = connection.stream({ path, metadata }, probe(probePrefix, token), {
      onMessage: wire.onMessage,
      onEnd: (error) => {
        if (isFault(error)) this.#cluster.blame(member, error.message);
        if (this.#tokens.mayHelp(error, token)) this.#tokens.distrust(token);
        wire.onEnd(error);
      },
    });
    return {
      target: member.target,
      stream,
      blame: (reason) => {
        connection.retire();
        this.#cluster.blame(member, reason);
      },
      renewToken: () => this.#tokens.distrust(token),
    };
  }
}

/** The smallest question about what the caller may read, answered by the member alone, without the cluster. */
function probe(prefix: string, token: Token): WireRequest {
  const method = KV.method.range;
  const { key } = prefixRange(prefix);
  const range = { key, keysOnly: true, serializable: true };
  return { path: pathOf(method), bytes: encode(method.input, range), metadata: tokenMetadata(token) };
}

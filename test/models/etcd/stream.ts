/** A stream between a process and a member of the model: in order, delayed, held while one side cannot be reached, cut. */
import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { EtcdBytesObserver, EtcdStream, EtcdStreamObserver } from "../../../src/registry/etcd/client/client.js";
import { statusError } from "../../../src/registry/etcd/client/etcd-error.js";
import { Watch } from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { ModelClient } from "./client.js";
import type { MemberStream, ModelMember } from "./member.js";
import { keepAliveSide, type ServerSide, watchSide } from "./server-side.js";

const UNAVAILABLE = 14;
/** How long the client's probe takes to find a connection dead. */
const PROBE_MS = 3_000;

export class ModelStream implements EtcdStream<never>, MemberStream {
  readonly #client: ModelClient;
  readonly #method: string;
  readonly #observer: EtcdStreamObserver<never> | EtcdBytesObserver;
  readonly #tell: (message: object) => void;
  readonly #read: (request: object) => object;
  readonly #isWatch: boolean;
  #member: ModelMember | undefined;
  #server: ServerSide | undefined;
  #unsent: object[] = [];
  /** What is under way while one side cannot be reached, either way. */
  #held: (() => void)[] = [];
  #lastAtMs = 0;
  /** The connection is gone. */
  #cut = false;
  /** The process wants, or will hear, no more. */
  #over = false;

  constructor(
    client: ModelClient,
    method: DescMethodBiDiStreaming<DescMessage, DescMessage>,
    observer: EtcdStreamObserver<never> | EtcdBytesObserver,
  ) {
    this.#client = client;
    this.#method = method.localName;
    this.#isWatch = method === (Watch.method.watch as unknown);
    this.#observer = observer;
    this.#tell = (message) => {
      if ("onBytes" in observer) observer.onBytes(Buffer.from(toBinary(method.output, message as never)));
      else observer.onMessage(message as never); // of the same method
    };
    this.#read = (request) => create(method.input, request as MessageInitShape<DescMessage>);
    client.streams.add(this);
    client.cluster.clock.after(client.streamDelayMs, () => this.#connect());
  }

  get member(): string {
    return (this.#member ?? this.#client.preferred ?? this.#client.cluster.members[0])?.name ?? "";
  }

  /** The server's end, for what a server does of itself. */
  get server(): ServerSide | undefined {
    return this.#cut || this.#over ? undefined : this.#server;
  }

  send(request: object): void {
    if (this.#over) return;
    const message = this.#read(request);
    this.#client.record(this.#method, message);
    if (this.#server) this.#carry(() => this.#server?.receive(message));
    else this.#unsent.push(message);
  }

  cancel(): void {
    this.#over = true;
    this.#disconnect();
  }

  suspect(): void {
    const member = this.#member ?? this.#client.preferred;
    if (member && !this.#over) this.#client.demote(member);
  }

  fail(reason: string): void {
    if (this.#over) return;
    this.suspect();
    this.#over = true;
    this.#disconnect();
    this.#observer.onEnd(statusError(UNAVAILABLE, reason, this.member));
  }

  renewToken(): void {}

  cut(reason: string): void {
    if (this.#cut) return;
    this.#disconnect();
    const error = statusError(UNAVAILABLE, reason, this.member);
    this.#client.clock.hear(() => {
      if (this.#over) return;
      this.#over = true;
      this.#observer.onEnd(error);
    });
  }

  unreachable(): void {
    this.#client.cluster.clock.after(PROBE_MS, () => {
      if (this.#reachable || this.#cut) return;
      if (this.#member) this.#client.demote(this.#member);
      this.cut("the connection answers no probe");
    });
  }

  reachableAgain(): void {
    if (!this.#reachable) return;
    const held = this.#held;
    this.#held = [];
    for (const arrive of held) if (!this.#cut) arrive();
  }

  get #reachable(): boolean {
    return !this.#client.isPartitioned && this.#member?.standing !== "hung";
  }

  #connect(): void {
    if (this.#over || this.#cut) return;
    const { cluster, preferred } = this.#client;
    if (!preferred) {
      this.cut("connection refused");
      return;
    }
    this.#member = preferred;
    preferred.streams.add(this);
    if (!this.#reachable) this.unreachable();
    else if (!cluster.hasLeader) {
      this.cut("etcdserver: no leader");
      return;
    }
    const side = this.#isWatch ? watchSide : keepAliveSide;
    const { clock } = this.#client;
    this.#server = side(cluster, preferred, (message) =>
      this.#carry(() =>
        clock.hear(() => {
          if (this.#over) return;
          this.#tell(message);
          this.#client.delivered(this);
        }),
      ),
    );
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const message of unsent) this.#carry(() => this.#server?.receive(message));
  }

  /** Brings something to the other side, after everything that was sent before it. */
  #carry(arrive: () => void): void {
    const { clock } = this.#client.cluster;
    const { streamDelayMs } = this.#client;
    this.#lastAtMs = Math.max(this.#lastAtMs + streamDelayMs, clock.nowMs() + streamDelayMs);
    clock.after(this.#lastAtMs - clock.nowMs(), () => {
      if (this.#cut) return;
      if (this.#reachable) arrive();
      else this.#held.push(arrive);
    });
  }

  #disconnect(): void {
    this.#cut = true;
    this.#server?.close();
    this.#member?.streams.delete(this);
    this.#client.streams.delete(this);
  }
}

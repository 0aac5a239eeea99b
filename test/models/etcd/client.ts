/**
 * The etcd client of one process of the model: what `src/registry/etcd/client/` promises (failover until the deadline, a
 * member that hangs is noticed, one word at the end of a stream), over a network that a test spoils.
 */
import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodUnary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type {
  EtcdBytesObserver,
  EtcdCallOptions,
  EtcdClient,
  EtcdStream,
  EtcdStreamObserver,
  EtcdStreamOptions,
} from "../../../src/registry/etcd/client/client.js";
import { cancelledError, closedError, EtcdError, statusError } from "../../../src/registry/etcd/client/etcd-error.js";
import { RangeRequestSchema } from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { ProcessClock } from "./clocks.js";
import type { Caller, ModelCluster } from "./cluster.js";
import type { ModelMember } from "./member.js";
import { ModelStream } from "./stream.js";

const TIMEOUT_MS = 5_000;
/** After which a request without an answer is sent to another member, as failover does. */
const SHARE_MS = 750;
const LATENCY_MS = 1;
const SILENCE_AFTER_MS = 500;

/** What becomes of one request. Whatever else happens, the caller hears of it within its timeout. */
export type Fate =
  /** Never done. */
  | { readonly kind: "lost" }
  /** Done, and never answered. */
  | { readonly kind: "unanswered" }
  /** Done, not answered, and sent again: that answer is heard. */
  | { readonly kind: "resent" }
  /** Done and answered; a copy that hung on a slow member is done a while later. */
  | { readonly kind: "echoed"; readonly afterMs: number }
  /** Done late, answered late: when either is past the timeout, nobody waits for it any more. */
  | { readonly kind: "slow"; readonly thereMs: number; readonly backMs: number }
  /** Refused with this status, and not done. */
  | { readonly kind: "refused"; readonly code: number; readonly details: string };

export interface Sent {
  readonly atMs: number;
  readonly method: string;
  readonly request: object;
  readonly note: string;
}

export class ModelClient implements EtcdClient {
  readonly name: string;
  readonly cluster: ModelCluster;
  readonly clock: ProcessClock;
  /** Those of the next requests, in order; without one all is well. */
  readonly fates: Fate[] = [];
  /** Everything it sent, in order. */
  readonly sent: Sent[] = [];
  readonly streams = new Set<ModelStream>();
  /** What each request notes of its sender. */
  note = () => "";
  /** How long each message of a stream takes, and how far apart two of them arrive. */
  streamDelayMs = LATENCY_MS;
  /** How long a request takes on its way, and its answer. */
  callDelayMs = LATENCY_MS;
  /** A stream is cut as soon as it has brought so many more messages. */
  cutAfterMessages: number | undefined;
  /** What a page of a range holds at most, instead of the thousand that nobody wants to write in a random schedule. */
  pageSize = 1_000n;
  /** How many calls wait for an answer, by method. */
  readonly waiting = new Map<string, number>();
  /** Each ends one call with an error. */
  readonly #calls = new Set<(error: Error) => void>();
  #members: ModelMember[];
  #partitioned = false;

  constructor(name: string, cluster: ModelCluster, clock: ProcessClock) {
    this.name = name;
    this.cluster = cluster;
    this.clock = clock;
    this.#members = [...cluster.members];
  }

  /** No answer can come: neither to a read, nor, for long, on a stream. */
  get isCutOff(): boolean {
    return this.#partitioned || !this.cluster.hasLeader;
  }

  get isPartitioned(): boolean {
    return this.#partitioned;
  }

  /** Packets are dropped, and connections stay open. */
  partition(): void {
    this.#partitioned = true;
    for (const stream of [...this.streams]) stream.unreachable();
  }

  heal(): void {
    this.#partitioned = false;
    for (const stream of [...this.streams]) stream.reachableAgain();
  }

  /** Connections are reset. */
  cutStreams(): void {
    for (const stream of [...this.streams]) stream.cut("connection reset");
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { signal, timeoutMs = TIMEOUT_MS, onSilence }: EtcdCallOptions = {},
  ): Promise<MessageShape<O>> {
    const message = create(method.input, request);
    const caller = this.#record(method.localName, message);
    if (isMessage(message, RangeRequestSchema) && message.limit > this.pageSize) message.limit = this.pageSize;
    return new Promise((resolve, reject) => {
      let over = false;
      const fail = (error: Error) => end(() => reject(error));
      const end = (finish: () => void) => {
        if (over) return;
        over = true;
        deadline.cancel();
        silence.cancel();
        this.#calls.delete(fail);
        signal?.removeEventListener("abort", onAbort);
        this.waiting.set(method.localName, (this.waiting.get(method.localName) ?? 1) - 1);
        finish();
      };
      const outOfTime = new EtcdError("timeout", 4, `no etcd member answered within ${timeoutMs} ms`);
      const deadline = this.clock.after(timeoutMs, () => fail(outOfTime));
      const silence = this.clock.after(SILENCE_AFTER_MS, () => {
        if (this.isCutOff) onSilence?.(new EtcdError("timeout", 4, "no etcd member answers"));
      });
      const onAbort = () => fail(cancelledError(signal?.reason));
      signal?.addEventListener("abort", onAbort);
      this.waiting.set(method.localName, (this.waiting.get(method.localName) ?? 0) + 1);
      this.#calls.add(fail);
      if (signal?.aborted) return onAbort();
      this.#transmit(this.fates.shift(), {
        isAwaited: () => !over,
        execute: () => this.cluster.answer(method, message, caller),
        onAnswer: (answer) => this.clock.hear(() => end(() => resolve(answer))),
        onError: (error) => this.clock.hear(() => fail(error)),
      });
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    observer: EtcdStreamObserver<MessageShape<O>> | EtcdBytesObserver,
    _options: EtcdStreamOptions,
  ): EtcdStream<MessageInitShape<I>> {
    return new ModelStream(this, method, observer);
  }

  localAddress = async () => "127.0.0.1";

  async close(): Promise<void> {
    for (const fail of [...this.#calls]) fail(closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The member that a new stream runs on; those that stopped refuse it. */
  get preferred(): ModelMember | undefined {
    return this.#members.find(({ standing }) => standing !== "down");
  }

  delivered(stream: ModelStream): void {
    if (this.cutAfterMessages === undefined) return;
    this.cutAfterMessages -= 1;
    if (this.cutAfterMessages > 0) return;
    this.cutAfterMessages = undefined;
    stream.cut("connection reset");
  }

  demote(member: ModelMember): void {
    this.#members = [...this.#members.filter((each) => each !== member), member];
  }

  record(method: string, message: object): void {
    this.#record(method, message);
  }

  #record(method: string, message: object): Caller {
    const note = this.note();
    this.sent.push({ atMs: this.clock.nowMs(), method, request: message, note });
    return { name: this.name, note };
  }

  #transmit<T>(fate: Fate | undefined, call: Transmission<T>): void {
    const { clock } = this.cluster;
    const { callDelayMs } = this;
    const { thereMs, backMs } = fate?.kind === "slow" ? fate : { thereMs: callDelayMs, backMs: callDelayMs };
    if (fate?.kind === "refused") {
      clock.after(thereMs, () => call.onError(statusError(fate.code, fate.details, "member-1")));
      return;
    }
    if (fate?.kind === "lost") return;
    const { life } = this.cluster;
    /** A cluster that is gone takes with it what was sent to it, and failover sends again what somebody waits for. */
    const isCutOff = () => this.cluster.life !== life && !call.isAwaited();
    const arrive = () => {
      if (isCutOff()) return;
      if (this.isCutOff) {
        // Failover tries again until the deadline; nothing has been done yet.
        if (call.isAwaited()) clock.after(SHARE_MS / 3, arrive);
        return;
      }
      const outcome = outcomeOf(call.execute);
      const answered = this.cluster.life;
      if (fate?.kind === "unanswered") return;
      if (fate?.kind === "echoed") {
        clock.after(fate.afterMs, () => {
          if (!this.isCutOff && this.cluster.life === life) outcomeOf(call.execute);
        });
      }
      if (fate?.kind === "resent") {
        clock.after(SHARE_MS, () => call.isAwaited() && this.#transmit(undefined, call));
        return;
      }
      clock.after(backMs, () => {
        if (this.#partitioned || this.cluster.life !== answered) {
          if (call.isAwaited()) clock.after(SHARE_MS, arrive); // the answer is lost
        } else if ("error" in outcome) call.onError(outcome.error);
        else call.onAnswer(outcome.answer);
      });
    };
    clock.after(thereMs, arrive);
  }
}

interface Transmission<T> {
  isAwaited(): boolean;
  execute(): T;
  onAnswer(answer: T): void;
  onError(error: Error): void;
}

function outcomeOf<T>(execute: () => T): { readonly answer: T } | { readonly error: Error } {
  try {
    return { answer: execute() };
  } catch (error) {
    return { error: error as Error }; // the cluster throws nothing else
  }
}

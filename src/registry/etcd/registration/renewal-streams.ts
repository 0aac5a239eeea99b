/**
 * Where lease renewals are sent: one stream, and beside it those that were slow to answer.
 *
 * Why a slow one is not given up: on a long line or in a busy cluster every answer is late, and whoever leaves each time
 * before it comes is never told that its lease lives. So another member is asked beside the slow one, and the first that
 * answers is stayed with.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { fullJitter } from "../../../backoff.js";
import type { Clock, Timer } from "../../../clock.js";
import type { Random } from "../../../random.js";
import type { EtcdClient, EtcdStream } from "../client/client.js";
import { Lease, type LeaseKeepAliveRequestSchema, type LeaseKeepAliveResponse } from "../proto/etcd_pb.js";

// The first reopening is immediate; a member that takes streams and ends them must not be met with a hot loop.
const REOPEN = { baseMs: 50, maxMs: 500 };
// With the current one, four answers may be on their way. One that comes later than that finds its lease gone.
const MOST_SLOW = 3;

export interface RenewalStreamsOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
  /** A prefix that may be read, where a stream's connection can be probed; `undefined` while there is nothing to renew. */
  readonly probePrefix: () => string | undefined;
  /** `sentAtMs`: when the request was sent that this answers; `undefined` for an answer that nobody asked for. */
  readonly onAnswer: (answer: LeaseKeepAliveResponse, sentAtMs: number | undefined) => void;
  /** Another stream is the current one: what waits for an answer on none may be sent there. */
  readonly onMoved: () => void;
  /** The current stream ended. The next is announced by `onMoved`. */
  readonly onEnded: () => void;
}

interface RenewalStream {
  readonly stream: EtcdStream<MessageInitShape<typeof LeaseKeepAliveRequestSchema>>;
  /** When the request of each lease was sent whose answer has not come. */
  readonly sentAtMs: Map<bigint, number>;
}

export class RenewalStreams {
  readonly #options: RenewalStreamsOptions;
  #current: RenewalStream | undefined;
  /** Oldest first. */
  #slow: RenewalStream[] = [];
  #reopening: Timer | undefined;
  #failures = 0;

  constructor(options: RenewalStreamsOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#current !== undefined;
  }

  /** Has a stream opened, unless one is, or is about to be. */
  open(): void {
    if (!this.#current && !this.#reopening) this.#open();
  }

  /** Asks on the current stream, unless an answer for this lease is on its way there. */
  send(id: bigint): void {
    if (!this.#current || this.#current.sentAtMs.has(id)) return;
    this.#current.sentAtMs.set(id, this.#options.clock.nowMs());
    this.#current.stream.send({ ID: id });
  }

  /** The current stream is slow: asks another member beside it. */
  askAnother(reason: string): void {
    const late = this.#current;
    if (!late) return;
    late.stream.suspect(reason);
    this.#slow.push(late);
    if (this.#slow.length > MOST_SLOW) this.#slow.shift()?.stream.cancel();
    this.#open();
  }

  close(): void {
    this.#reopening?.cancel();
    this.#reopening = undefined;
    const open = this.#all();
    this.#current = undefined;
    this.#slow = [];
    for (const { stream } of open) stream.cancel();
  }

  #open(): void {
    const { client, probePrefix, onMoved } = this.#options;
    this.#reopening = undefined;
    const prefix = probePrefix();
    if (prefix === undefined) return;
    const stream: RenewalStream["stream"] = client.stream(
      Lease.method.leaseKeepAlive,
      {
        onMessage: (answer: LeaseKeepAliveResponse) => this.#answered(opened, answer),
        onEnd: () => this.#ended(opened),
      },
      { probePrefix: prefix, evenIfRefused: true },
    );
    const opened: RenewalStream = { stream, sentAtMs: new Map() };
    this.#current = opened;
    onMoved();
  }

  #answered(by: RenewalStream, answer: LeaseKeepAliveResponse): void {
    const { onAnswer, onMoved } = this.#options;
    const sentAtMs = by.sentAtMs.get(answer.ID);
    by.sentAtMs.delete(answer.ID);
    this.#failures = 0;
    const hasMoved = by !== this.#current;
    this.#stayWith(by);
    onAnswer(answer, sentAtMs);
    if (hasMoved) onMoved();
  }

  #stayWith(chosen: RenewalStream): void {
    this.#reopening?.cancel();
    this.#reopening = undefined;
    const others = this.#all().filter((each) => each !== chosen);
    this.#current = chosen;
    this.#slow = [];
    for (const { stream } of others) stream.cancel();
  }

  #ended(ended: RenewalStream): void {
    if (ended !== this.#current) {
      this.#slow = this.#slow.filter((each) => each !== ended);
      return;
    }
    const { clock, random, onEnded } = this.#options;
    this.#current = undefined;
    onEnded();
    this.#failures += 1;
    const delayMs = this.#failures === 1 ? 0 : fullJitter(REOPEN, this.#failures - 1, random);
    // Like the stream itself, it keeps the process alive: a registration is open until it is closed.
    this.#reopening = clock.after(delayMs, () => this.#open(), { hold: true });
  }

  #all(): RenewalStream[] {
    return this.#current ? [...this.#slow, this.#current] : this.#slow;
  }
}

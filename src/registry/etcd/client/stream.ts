/** A stream as its user holds it: open from the first moment, while the connection is still being made. */
import type { DescMessage, DescMethodBiDiStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { toError } from "../../../errors.js";
import type { WireObserver, WireStream } from "./connection.js";
import { EtcdError } from "./etcd-error.js";
import { decode, encode } from "./wire.js";

export interface EtcdStreamObserver<O> {
  onMessage(message: O): void;
  /** The stream is over, told once; nothing is told after it, and nothing at all after `cancel()`. */
  onEnd(error: Error): void;
}

/** For whoever reads the messages of a stream without the generated code, where that is too slow. */
export interface EtcdBytesObserver extends Pick<EtcdStreamObserver<never>, "onEnd"> {
  onBytes(message: Buffer): void;
}

export interface EtcdStream<I> {
  /** The member it runs on, as `host:port`; until it runs, the one that is tried first. */
  readonly member: string;
  send(request: I): void;
  /** Ends it without a word to the observer. */
  cancel(): void;
  /** Declares the member slow: the next stream goes elsewhere, and this one stays open. */
  suspect(reason: string): void;
  /** Declares the member at fault: ends the stream as a failure, and the next one goes elsewhere. */
  fail(reason: string): void;
  /**
   * The member refused the stream's token inside the stream, as a watch is told: the next stream or call gets a new one.
   * Harmless when another has been got meanwhile. A stream that a refusal ended has done this by itself.
   */
  renewToken(): void;
}

/** Where a stream came to run. */
export interface StreamPlace {
  readonly target: string;
  readonly stream: WireStream;
  /** Puts the member last. */
  blame(reason: string): void;
  /** The member refused the token that the stream was opened with. */
  renewToken(): void;
}

export interface StreamPlan<I extends DescMessage, O extends DescMessage> {
  readonly method: DescMethodBiDiStreaming<I, O>;
  readonly observer: EtcdStreamObserver<MessageShape<O>> | EtcdBytesObserver;
  /** The member that is tried now, or first; and the blame of it, when the stream does not run anywhere yet. */
  likely(): string;
  blameLikely(reason: string): void;
  /** Finds a member that answers and opens the stream there; rejects when `signal` aborts. */
  open(observer: WireObserver, signal: AbortSignal): Promise<StreamPlace>;
  /** Called once, when the stream is over in whatever way. */
  onOver(stream: OpenStream<I, O>): void;
}

export class OpenStream<I extends DescMessage, O extends DescMessage> implements EtcdStream<MessageInitShape<I>> {
  readonly #plan: StreamPlan<I, O>;
  readonly #opening = new AbortController();
  #unsent: Buffer[] = [];
  #place: StreamPlace | undefined;
  #over = false;

  constructor(plan: StreamPlan<I, O>) {
    this.#plan = plan;
    void this.#open();
  }

  get member(): string {
    return this.#place?.target ?? this.#plan.likely();
  }

  send(request: MessageInitShape<I>): void {
    if (this.#over) return;
    const bytes = encode(this.#plan.method.input, request);
    if (this.#place) this.#place.stream.send(bytes);
    else this.#unsent.push(bytes);
  }

  cancel(): void {
    if (this.#finish()) this.#place?.stream.cancel();
  }

  suspect(reason: string): void {
    if (this.#over) return;
    if (this.#place) this.#place.blame(reason);
    else this.#plan.blameLikely(reason);
  }

  fail(reason: string): void {
    const error = new EtcdError("unavailable", status.UNAVAILABLE, `${this.member}: ${reason}`);
    this.suspect(reason);
    this.end(error);
  }

  renewToken(): void {
    this.#place?.renewToken();
  }

  /** Ends it and tells the observer why. */
  end(error: Error): void {
    if (!this.#finish()) return;
    this.#place?.stream.cancel();
    this.#plan.observer.onEnd(error);
  }

  async #open(): Promise<void> {
    const { method, observer, open } = this.#plan;
    const read =
      "onBytes" in observer
        ? (bytes: Buffer) => observer.onBytes(bytes)
        : (bytes: Buffer) => observer.onMessage(decode(method.output, bytes));
    try {
      const place = await open(
        {
          onMessage: (bytes) => {
            if (!this.#over) read(bytes);
          },
          onEnd: (error) => this.end(error),
        },
        this.#opening.signal,
      );
      this.#place = place;
      if (this.#over) return place.stream.cancel();
      for (const bytes of this.#unsent) place.stream.send(bytes);
      this.#unsent = [];
    } catch (error) {
      this.end(toError(error));
    }
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#unsent = [];
    this.#opening.abort();
    this.#plan.onOver(this);
    return true;
  }
}

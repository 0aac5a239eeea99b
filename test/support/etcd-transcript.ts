/**
 * A plain gRPC client for etcd that writes down every answer, so that two servers can be compared by what they said.
 *
 * It shares only the method definitions with rollcall's own client: a mistake there must not hide one in a server.
 * Normalised are the ids of cluster and member, the raft term, revisions (told from where the transcript began) and the
 * lease ids that a server chose.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ClientDuplexStream, credentials, makeClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { serviceDefinition } from "../../src/method-definitions.js";
import {
  Auth,
  Cluster,
  KV,
  Lease,
  type LeaseKeepAliveResponse,
  Maintenance,
  Watch,
  type WatchCreateRequestSchema,
  type WatchResponse,
} from "../../src/registry/etcd/proto/etcd_pb.js";

const ANSWER_MS = 15_000;
const PATIENCE_MS = 30_000;

const services = { KV, Lease, Cluster, Maintenance, Auth, Watch };
const EtcdClient = makeClientConstructor(
  Object.assign({}, ...Object.values(services).map((service) => serviceDefinition(service))),
  "etcd",
);

// Fields that count from where the store began.
const revisionFields = new Set(["revision", "modRevision", "createRevision", "compactRevision"]);

export type Answer = { readonly ok: unknown } | { readonly error: { readonly code: number; readonly details: string } };

type Fields = Readonly<Record<string, unknown>>;

export class EtcdTranscript {
  readonly lines: unknown[] = [];
  readonly #client: InstanceType<typeof EtcdClient>;
  readonly #prefix: string;
  readonly #leases = new Set<bigint>();
  #base = 0n;

  private constructor(endpoint: string, prefix: string) {
    this.#client = new EtcdClient(endpoint, credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
    this.#prefix = prefix;
  }

  /** `prefix` keeps the keys of one transcript from those of the others on the same server. */
  static async open(endpoint: string, prefix: string): Promise<EtcdTranscript> {
    const transcript = new EtcdTranscript(endpoint, prefix);
    const { header } = (await transcript.#call("range", { key: bytes("0") })) as { header: { revision: bigint } };
    transcript.#base = header.revision;
    return transcript;
  }

  key(name: string): Uint8Array {
    return bytes(this.#prefix + name);
  }

  /** A revision, counted from where the transcript began. */
  at(offset: number): bigint {
    return this.#base + BigInt(offset);
  }

  /** Calls a method by its name in the .proto, `LeaseGrant` being `leaseGrant`, and notes the answer. */
  async call(method: string, request: Fields): Promise<Answer> {
    const answer = await this.#call(method, request).then(
      (response) => ({ ok: this.normalise(response, method) }),
      ({ code, details }: ServiceError) => ({ error: { code, details } }),
    );
    this.lines.push({ method, answer });
    return answer;
  }

  range = (name: string, fields: Fields = {}) => this.call("range", { key: this.key(name), ...fields });
  put = (name: string, value: string, fields: Fields = {}) =>
    this.call("put", { key: this.key(name), value: bytes(value), ...fields });
  delete = (name: string, fields: Fields = {}) => this.call("deleteRange", { key: this.key(name), ...fields });
  txn = (request: Fields) => this.call("txn", request);
  compact = (offset: number) => this.call("compact", { revision: this.at(offset) });

  watch(): WatchTranscript {
    return new WatchTranscript(this, this.#client.watch?.() as ClientDuplexStream<object, WatchResponse>);
  }

  /** Renews each lease over one stream and notes the answers. */
  async keepAlive(...ids: readonly bigint[]): Promise<void> {
    const stream = this.#client.leaseKeepAlive?.() as ClientDuplexStream<object, LeaseKeepAliveResponse>;
    const answers = new Inbox<LeaseKeepAliveResponse>(stream);
    for (const ID of ids) stream.write({ ID });
    for (const response of await answers.take(ids.length)) {
      this.lines.push({ keepAlive: this.normalise(response, "leaseKeepAlive") });
    }
    stream.end();
    await answers.ended;
  }

  close(): void {
    this.#client.close();
  }

  normalise(message: unknown, method: string): unknown {
    if (message instanceof Uint8Array) return printable(message, this.#prefix);
    if (Array.isArray(message)) return message.map((element) => this.normalise(element, method));
    if (typeof message !== "object" || message === null) return message;
    const fields = Object.entries(message).flatMap(([name, value]): [string, unknown][] => {
      switch (name) {
        case "$typeName":
        case "raftTerm":
        case "clusterId":
          return [];
        case "memberId":
          return [["signed", value !== 0n]];
        case "leases":
          return [[name, (value as { ID: bigint }[]).filter(({ ID }) => this.#leases.has(ID)).map(({ ID }) => ID)]];
        case "keys":
          return [[name, this.normalise((value as Uint8Array[]).toSorted(Buffer.compare), method)]]; // etcd gives them in any order
        case "TTL":
          return [[name, method === "leaseTimeToLive" ? remaining(message as TimeToLive) : value]];
        default:
          return [[name, revisionFields.has(name) ? this.#relative(value as bigint) : this.normalise(value, method)]];
      }
    });
    return Object.fromEntries(fields);
  }

  #relative(revision: bigint): string {
    return revision > 0n ? `+${revision - this.#base}` : String(revision);
  }

  #call(method: string, request: Fields): Promise<unknown> {
    if (method === "leaseGrant") this.#leases.add(request.ID as bigint);
    const invoke = this.#client[method] as (
      request: Fields,
      options: { deadline: number },
      callback: (error: ServiceError | null, response: unknown) => void,
    ) => void;
    return new Promise((resolve, reject) => {
      invoke.call(this.#client, request, { deadline: Date.now() + ANSWER_MS }, (error, response) => {
        if (error) reject(error);
        else resolve(response);
      });
    });
  }
}

/** One Watch stream and what came over it. */
export class WatchTranscript {
  readonly #transcript: EtcdTranscript;
  readonly #stream: ClientDuplexStream<object, WatchResponse>;
  readonly #responses: Inbox<WatchResponse>;

  constructor(transcript: EtcdTranscript, stream: ClientDuplexStream<object, WatchResponse>) {
    this.#transcript = transcript;
    this.#stream = stream;
    this.#responses = new Inbox(stream);
  }

  /** Creates a watch and waits for the answer to it. */
  async create(name: string, fields: MessageInitShape<typeof WatchCreateRequestSchema> = {}): Promise<void> {
    const key = this.#transcript.key(name);
    this.#stream.write({ requestUnion: { case: "createRequest", value: { key, ...fields } } });
    await this.next(1);
  }

  async cancel(watchId: bigint): Promise<void> {
    this.#stream.write({ requestUnion: { case: "cancelRequest", value: { watchId } } });
  }

  async progress(): Promise<void> {
    this.#stream.write({ requestUnion: { case: "progressRequest", value: {} } });
  }

  /** Notes the next responses. Those of several watches come in no order that etcd keeps, so they are noted by watch. */
  async next(count: number): Promise<void> {
    const responses = await this.#responses.take(count);
    const byWatch = responses.sort((a, b) => Number(a.watchId - b.watchId));
    this.#transcript.lines.push(
      ...byWatch.map((response) => ({ watch: this.#transcript.normalise(response, "watch") })),
    );
  }

  /** Notes everything that was sent up to now, by sending one more event through a watch of its own. */
  async rest(): Promise<void> {
    const key = bytes("fence");
    const watchId = 1_000_000n;
    this.#stream.write({ requestUnion: { case: "createRequest", value: { key, watchId } } });
    const before = await this.#responses.until((response) => response.watchId === watchId && response.created);
    await this.#transcript.call("put", { key });
    before.push(...(await this.#responses.until((response) => response.watchId === watchId)));
    for (const response of before) {
      this.#transcript.lines.push({ watch: this.#transcript.normalise(response, "watch") });
    }
  }

  close(): void {
    this.#stream.cancel();
  }
}

/** Messages of a stream, taken as they come. */
class Inbox<T> {
  readonly ended: Promise<void>;
  readonly #messages: T[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  constructor(stream: ClientDuplexStream<object, T>) {
    stream.on("data", (message: T) => {
      this.#messages.push(message);
      this.#wake();
    });
    stream.on("error", (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
    this.ended = new Promise((resolve) => stream.once("close", resolve));
  }

  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.#one());
    return taken;
  }

  /** All messages before the first that `last` accepts; that one is taken and not given. */
  async until(last: (message: T) => boolean): Promise<T[]> {
    const before: T[] = [];
    for (let message = await this.#one(); !last(message); message = await this.#one()) before.push(message);
    return before;
  }

  async #one(): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS;
    while (this.#messages.length === 0) {
      if (this.#failure) throw this.#failure;
      if (Date.now() > deadline) throw new Error(`no message within ${PATIENCE_MS} ms`);
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, PATIENCE_MS);
        this.#wake = () => {
          clearTimeout(timeout);
          resolve();
        };
      });
    }
    return this.#messages.shift() as T; // the length was checked
  }
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

interface TimeToLive {
  readonly TTL: bigint;
  readonly grantedTTL: bigint;
}

/** The seconds left run while two servers are compared; a little less than granted is the same on both. */
function remaining({ TTL, grantedTTL }: TimeToLive): bigint | string {
  const gone = grantedTTL - TTL;
  return TTL > 0n && gone >= 0n && gone <= 2n ? "nearly all" : TTL;
}

function printable(value: Uint8Array, prefix: string): string {
  const text = Buffer.from(value).toString("latin1").replace(prefix, "");
  return text.length > 200 ? `${text.length} bytes` : text;
}

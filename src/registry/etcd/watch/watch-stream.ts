/**
 * One watch on a stream of its own. Why not many watches on one stream: etcd creates them one at a time, and a busy one
 * holds up the others (etcd issue 17529); HTTP/2 already shares the connection.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EtcdClient, EtcdStream } from "../client/client.js";
import type { EtcdError } from "../client/etcd-error.js";
import { prefixRange } from "../client/key-range.js";
import { Watch, type WatchRequestSchema } from "../proto/etcd_pb.js";
import { type WatchSignal, watchResponseReader } from "./watch-responses.js";

export interface WatchStream {
  readonly member: string;
  /** Asks the member how far the watch has come; the answer is a `progress`. */
  askProgress(): void;
  cancel(): void;
  /** Ends it as the member's fault, so that the next stream goes to another. */
  fail(reason: string): void;
}

export interface WatchStreamObserver {
  onSignal(signal: WatchSignal): void;
  onEnd(error: Error): void;
}

/** Asks for every change under `prefix` from `startRevision` on. Nothing is told after `cancel()` or `fail()`. */
export function openWatchStream(
  client: EtcdClient,
  prefix: string,
  startRevision: bigint,
  observer: WatchStreamObserver,
): WatchStream {
  let givenUp = false;
  let read: ReturnType<typeof watchResponseReader> | undefined;
  const stream: EtcdStream<MessageInitShape<typeof WatchRequestSchema>> = client.stream(
    Watch.method.watch,
    {
      onBytes(bytes) {
        read ??= watchResponseReader(startRevision, stream.member);
        const signal = givenUp ? undefined : read(bytes);
        if (signal?.kind === "refused" && isAboutTheToken(signal.error)) stream.renewToken();
        if (signal) observer.onSignal(signal);
      },
      onEnd(error) {
        if (!givenUp) observer.onEnd(error);
      },
    },
    { probePrefix: prefix },
  );
  const create = { ...prefixRange(prefix), startRevision, progressNotify: true, fragment: true };
  stream.send({ requestUnion: { case: "createRequest", value: create } });

  return {
    get member() {
      return stream.member;
    },
    askProgress: () => stream.send({ requestUnion: { case: "progressRequest", value: {} } }),
    cancel() {
      givenUp = true;
      stream.cancel();
    },
    fail(reason) {
      givenUp = true;
      stream.fail(reason);
    },
  };
}

/** Older servers say "permission denied" where they mean an expired token (etcd issue 12385). */
function isAboutTheToken(error: EtcdError): boolean {
  return error.kind === "unauthenticated" || error.kind === "denied";
}

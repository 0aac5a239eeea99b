/** What a member does with the messages of one stream. */
import { create } from "@bufbuild/protobuf";
import { WatchStream } from "../../../src/embedded/watch-stream.js";
import {
  type Event,
  type LeaseKeepAliveRequest,
  LeaseKeepAliveResponseSchema,
  type WatchRequest,
  type WatchResponse,
  WatchResponseSchema,
} from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { ModelCluster } from "./cluster.js";
import type { ModelMember } from "./member.js";

// Quiet watches are told the revision by themselves, as etcd does every ten minutes.
const PROGRESS_NOTIFY_MS = 600_000;
/** Revisions of a catch-up in one response: etcd has 1,000, which a random schedule would never reach. */
const BATCH_REVISIONS = 2;
const NO_WATCH = -1n;

export interface ServerSide {
  receive(message: object): void;
  close(): void;
  /** The server ends the watch and leaves the stream open. */
  cancelWatch?(reason: string): void;
}

type Send = (message: object) => void;

export function keepAliveSide(cluster: ModelCluster, member: ModelMember, send: Send): ServerSide {
  return {
    receive(message) {
      const { ID } = message as LeaseKeepAliveRequest; // the stream's own method
      const header = cluster.headerBeforeRenewal(member);
      if (cluster.hasLeader) send(create(LeaseKeepAliveResponseSchema, { header, ID, TTL: cluster.renew(ID) }));
      else member.cutStreams("etcdserver: no leader");
    },
    close() {},
  };
}

export function watchSide(cluster: ModelCluster, member: ModelMember, send: Send): ServerSide {
  let fragmented = false;
  let cancelled = false;
  const stream = new WatchStream({
    store: member.replica,
    member: { clusterId: 0n, memberId: 0n, name: member.name },
    clock: cluster.clock,
    random: () => 0.5,
    progressNotifyMs: PROGRESS_NOTIFY_MS,
    send(response) {
      if (cancelled) return true;
      const header = { ...cluster.header(member), revision: response.header?.revision ?? 0n };
      for (const part of asEtcdCutsIt(response, fragmented)) send(create(WatchResponseSchema, { ...part, header }));
      return true;
    },
  });
  return {
    receive(message) {
      const request = message as WatchRequest; // the stream's own method
      const { requestUnion } = request;
      if (requestUnion.case === "createRequest") {
        fragmented = requestUnion.value.fragment;
        if (cluster.watchRefusals.length > 0) {
          const cancelReason = cluster.watchRefusals.shift();
          if (cancelReason === undefined) return;
          const refused = { created: true, canceled: true, watchId: NO_WATCH, cancelReason };
          send(create(WatchResponseSchema, { header: cluster.header(member), ...refused }));
          return;
        }
      }
      // Before 3.4.25 and 3.5.8 the report may overtake events that the member has not delivered yet (etcd issue 15220).
      if (requestUnion.case === "progressRequest" && cluster.version === "3.4.23") {
        send(create(WatchResponseSchema, { header: cluster.header(), watchId: NO_WATCH }));
        return;
      }
      stream.receive(request);
    },
    close: () => stream.close(),
    cancelWatch(reason) {
      cancelled = true;
      stream.close();
      send(create(WatchResponseSchema, { header: cluster.header(member), canceled: true, cancelReason: reason }));
    },
  };
}

/** A catch-up comes in batches, each with the header of the whole; a large batch in fragments, split within a revision. */
function asEtcdCutsIt(response: WatchResponse, fragmented: boolean): WatchResponse[] {
  const batches: Event[][] = [];
  const revisions = [...new Set(response.events.map(({ kv }) => kv?.modRevision ?? 0n))];
  for (let first = 0; first < revisions.length; first += BATCH_REVISIONS) {
    const chosen = new Set(revisions.slice(first, first + BATCH_REVISIONS));
    batches.push(response.events.filter(({ kv }) => chosen.has(kv?.modRevision ?? 0n)));
  }
  if (batches.length === 0) return [response];
  return batches.flatMap((events) =>
    fragmented && events.length > 1
      ? events.map((event, index) => ({ ...response, events: [event], fragment: index < events.length - 1 }))
      : [{ ...response, events }],
  );
}

/**
 * What the answers of one watch mean. etcd packs six messages into one type and several of them look alike; this is the
 * only place that knows which is which (v3rpc/watch.go).
 */
import { cancelReasonError, type EtcdError, statusError } from "../client/etcd-error.js";
import { keyText } from "../client/key-range.js";
import { decode } from "../client/wire.js";
import { type Event, Event_EventType, type WatchResponse, WatchResponseSchema } from "../proto/etcd_pb.js";
import { type Change, type StoreHeader, storeHeader } from "./position.js";
import { readChanges } from "./read-changes.js";

// A range of a compacted revision is answered with this code; a watch has none of its own.
const GRPC_OUT_OF_RANGE = 11;

export type WatchSignal =
  | { readonly kind: "created"; readonly header: StoreHeader; readonly memberId: bigint }
  | { readonly kind: "changed"; readonly changes: readonly Change[] }
  | { readonly kind: "progress"; readonly revision: bigint }
  | { readonly kind: "compacted" | "refused"; readonly error: EtcdError };

/** Reads the answers of a watch that begins at `startRevision`, the only one on its stream to `member`. */
export function watchResponseReader(startRevision: bigint, member: string): (bytes: Buffer) => WatchSignal | undefined {
  // A response above the server's limit comes in fragments. A revision may be split between them, so that nothing is told
  // before the last one has come.
  let fragments: readonly Change[] = [];

  const told = (changes: readonly Change[]): WatchSignal | undefined => {
    // Some versions send older events than were asked for (etcd issue 20221); they come in the order of revisions.
    const first = changes[0];
    if (first !== undefined && first.modRevision >= startRevision) return { kind: "changed", changes };
    const wanted = changes.filter(({ modRevision }) => modRevision >= startRevision);
    return wanted.length > 0 ? { kind: "changed", changes: wanted } : undefined;
  };
  return (bytes) => {
    const changes = fragments.length === 0 ? readChanges(bytes) : undefined;
    if (changes) return told(changes);

    const response = decode(WatchResponseSchema, bytes);
    // Before `created`: a watch that is refused at once is told as created and canceled in one response.
    if (response.canceled) return cancellation(response, member);
    if (response.created) {
      return { kind: "created", header: storeHeader(response.header), memberId: response.header?.memberId ?? 0n };
    }

    const events = [...fragments, ...response.events.map(changeOf)];
    if (response.fragment) {
      fragments = events;
      return undefined;
    }
    fragments = [];
    return events.length > 0 ? told(events) : { kind: "progress", revision: response.header?.revision ?? 0n };
  };
}

/** A compaction is told by its revision alone; every other cancellation by its reason. */
function cancellation({ compactRevision, cancelReason }: WatchResponse, member: string): WatchSignal {
  return compactRevision > 0n
    ? {
        kind: "compacted",
        error: statusError(GRPC_OUT_OF_RANGE, `required revision has been compacted up to ${compactRevision}`, member),
      }
    : { kind: "refused", error: cancelReasonError(cancelReason || "the watch was cancelled without a reason", member) };
}

function changeOf({ type, kv }: Event): Change {
  const key = keyText(kv?.key ?? new Uint8Array());
  const modRevision = kv?.modRevision ?? 0n;
  return type === Event_EventType.DELETE || kv === undefined
    ? { key, modRevision }
    : { key, modRevision, value: kv.value, lease: kv.lease };
}

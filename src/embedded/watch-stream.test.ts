import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../random.js";
import {
  type WatchCreateRequestSchema,
  type WatchRequest,
  WatchRequestSchema,
  type WatchResponse,
} from "../registry/etcd/proto/etcd_pb.js";
import { type VirtualClock, virtualClock } from "../testing/virtual-clock.js";
import { newMember } from "./member.js";
import { RevisionStore } from "./revision-store.js";
import { WatchStream } from "./watch-stream.js";

const PROGRESS_MS = 60_000;
const JITTER_MS = PROGRESS_MS / 10;
const bytes = (text: string) => Buffer.from(text);

describe("a watch stream", () => {
  let clock: VirtualClock;
  let store: RevisionStore;
  let stream: WatchStream;
  let sent: WatchResponse[];
  let reading: boolean;

  beforeEach(() => {
    clock = virtualClock();
    store = new RevisionStore();
    sent = [];
    reading = true;
    stream = new WatchStream({
      store,
      clock,
      random: seededRandom(1),
      member: newMember(seededRandom(2)),
      progressNotifyMs: PROGRESS_MS,
      send: (response) => {
        sent.push(response);
        return reading;
      },
    });
  });

  const put = (key: string, value = "") => store.write((view) => view.put(bytes(key), bytes(value), 0n));
  const watch = (fields: MessageInitShape<typeof WatchCreateRequestSchema>) =>
    stream.receive(request({ case: "createRequest", value: { key: bytes("a"), ...fields } }));
  const values = () => sent.flatMap(({ events }) => events.map(({ kv }) => Buffer.from(kv?.value ?? []).toString()));

  it("queues nothing for a client that does not read, and brings it up to date when it does", () => {
    watch({});
    reading = false;
    put("a", "1"); // sent, and the answer is: enough
    for (const value of ["2", "3", "4"]) put("a", value);
    expect(values()).toEqual(["1"]);
    reading = true;
    stream.drained();
    expect(values()).toEqual(["1", "2", "3", "4"]);
    expect(sent.at(-1)?.header?.revision).toBe(store.revision);
  });

  it("cancels a watch that fell behind a compaction, once", () => {
    watch({});
    reading = false;
    for (const value of ["1", "2", "3"]) put("a", value);
    store.compact(store.revision);
    reading = true;
    stream.drained();
    expect(sent.slice(2)).toMatchObject([{ canceled: true, compactRevision: store.revision }]);
    put("a", "4");
    expect(values()).toEqual(["1"]);
  });

  it("owes a progress answer until the client has been told everything", () => {
    watch({});
    reading = false;
    put("a", "1");
    put("a", "2");
    stream.receive(request({ case: "progressRequest", value: {} }));
    reading = true;
    stream.drained();
    expect(sent.slice(2).map(({ watchId, header }) => [watchId, header?.revision])).toEqual([
      [0n, 3n],
      [-1n, 3n],
    ]);
  });

  it("tells a quiet watch the revision now and then, but not one that just heard it from an event", async () => {
    watch({ progressNotify: true });
    watch({ key: bytes("b"), progressNotify: true });
    watch({ key: bytes("c") });
    put("a");
    const before = sent.length;
    await clock.advance(PROGRESS_MS + JITTER_MS);
    expect(sent.slice(before)).toMatchObject([{ watchId: 1n, events: [], header: { revision: store.revision } }]);
    await clock.advance(PROGRESS_MS + JITTER_MS);
    expect(sent.slice(before + 1).map(({ watchId }) => watchId)).toEqual([0n, 1n]);
  });

  it("refuses a negative revision, as etcd has done since 3.5.24", () => {
    watch({ startRevision: -1n });
    expect(sent).toMatchObject([{ watchId: -1n, created: true, canceled: true }]);
    expect(sent[0]?.cancelReason).toBe("etcdserver: mvcc: required revision has been compacted");
  });

  it("a watch from the first revision of an empty store follows what comes", () => {
    watch({ startRevision: 1n });
    put("a", "1");
    expect(values()).toEqual(["1"]);
  });

  it("hears nothing and leaves no timer once it is closed", () => {
    watch({ progressNotify: true });
    stream.close();
    put("a");
    expect(sent).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});

function request(requestUnion: MessageInitShape<typeof WatchRequestSchema>["requestUnion"] & object): WatchRequest {
  return create(WatchRequestSchema, { requestUnion });
}

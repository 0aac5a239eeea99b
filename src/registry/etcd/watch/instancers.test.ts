import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { type ScriptedStream, scriptedEtcdClient } from "../../../../test/support/scripted-etcd-client.js";
import type { Membership } from "../../../instance.js";
import { virtualClock } from "../../../testing/virtual-clock.js";
import { goKitLayout } from "../../layouts/go-kit.js";
import { massDeletionRule } from "../../mass-deletion.js";
import { statusError } from "../client/etcd-error.js";
import {
  Event_EventType,
  type EventSchema,
  type KeyValueSchema,
  KV,
  Maintenance,
  Watch,
  type WatchRequestSchema,
  type WatchResponseSchema,
} from "../proto/etcd_pb.js";
import { etcdInstancers } from "./instancers.js";

type BookStream = ScriptedStream<typeof WatchRequestSchema, typeof WatchResponseSchema>;

const memberId = 1n;
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);

describe("an etcd instancer", () => {
  let clock: ReturnType<typeof virtualClock>;
  let client: ReturnType<typeof scriptedEtcdClient>;
  let instancers: ReturnType<typeof etcdInstancers>;
  let warnings: string[];
  /** For how long the process has stood still, so that timers come late. */
  let stoodStillMs: number;

  beforeEach(() => {
    clock = virtualClock(1_000_000);
    client = scriptedEtcdClient();
    warnings = [];
    stoodStillMs = 0;
    const logger = { warn: (message: string) => void warnings.push(message), info: () => {} };
    const massDeletion = massDeletionRule();
    const layout = goKitLayout();
    instancers = etcdInstancers({
      client,
      layout,
      clock: { ...clock, nowMs: () => clock.nowMs() + stoodStillMs },
      random: () => 0.5,
      logger,
      massDeletion,
      snapshots: undefined,
    });
  });

  const header = (revision: bigint, raftTerm = 2n) => ({ clusterId: 7n, memberId, raftTerm, revision });
  const pair = (host: string, modRevision: bigint, value = `${host}:1`): MessageInitShape<typeof KeyValueSchema> => ({
    key: bytes(`/services/book/${host}:1`),
    value: bytes(value),
    modRevision,
  });
  const put = (host: string, revision: bigint, value?: string): MessageInitShape<typeof EventSchema> => ({
    type: Event_EventType.PUT,
    kv: pair(host, revision, value),
  });
  const del = (host: string, revision: bigint): MessageInitShape<typeof EventSchema> => ({
    type: Event_EventType.DELETE,
    kv: { key: bytes(`/services/book/${host}:1`), modRevision: revision },
  });
  const answerList = (revision: bigint, hosts: readonly string[], raftTerm?: bigint) =>
    client
      .nextCall(KV.method.range)
      .answer({ header: header(revision, raftTerm), kvs: hosts.map((host) => pair(host, revision)) });
  /** The read before a watch is opened again: the prefix at the revision of the view, and its latest key. */
  const confirmed = (revision: bigint, held = [pair("a", 10n)], raftTerm?: bigint) => {
    const answers = [{ count: BigInt(held.length) }, { kvs: held.slice(-1) }];
    return client.nextCall(KV.method.txn).answer({
      header: header(revision, raftTerm),
      succeeded: true,
      responses: answers.map((value) => ({ response: { case: "responseRange" as const, value } })),
    });
  };
  const created = (stream: BookStream, revision: bigint) => stream.message({ header: header(revision), created: true });
  const startRevisionOf = ({ sent }: BookStream) =>
    sent[0]?.requestUnion.case === "createRequest" ? sent[0].requestUnion.value.startRevision : undefined;

  /** A live view of `hosts` at revision 10, and the stream that keeps it so. */
  async function liveView(hosts: readonly string[] = ["a"]) {
    const instancer = instancers.open("book");
    const views: Membership[] = [];
    instancer.subscribe((view) => views.push(view));
    await answerList(10n, hosts);
    const stream = client.nextStream(Watch.method.watch);
    created(stream, 10n);
    await clock.advance(10);
    return { instancer, views, stream };
  }

  it("is pending until the first list, then live, and watches from the next revision", async () => {
    const { views, stream } = await liveView(["b", "a"]);
    expect(views.map(summary)).toEqual(["pending", "live 10/0 a,b"]);
    expect(startRevisionOf(stream)).toBe(11n);
    expect(stream.options.probePrefix).toBe("/services/book/");
  });

  it("reads page by page, all at the first page's revision", async () => {
    const instancer = instancers.open("book");
    const first = client.nextCall(KV.method.range);
    expect(text(first.request.key)).toBe("/services/book/");
    expect(text(first.request.rangeEnd)).toBe("/services/book0");
    expect(first.request.serializable).toBe(false);
    await first.answer({ header: header(10n), kvs: [pair("a", 3n)], more: true });
    const second = client.nextCall(KV.method.range);
    expect(text(second.request.key)).toBe("/services/book/a:1\0");
    expect(second.request.revision).toBe(10n);
    await second.answer({ header: header(99n), kvs: [pair("b", 4n)] });
    expect(summary(instancer.current)).toBe("live 10/0 a,b");
  });

  it("begins the read anew when a compaction overtakes it", async () => {
    const instancer = instancers.open("book");
    await client.nextCall(KV.method.range).answer({ header: header(10n), kvs: [pair("a", 3n)], more: true });
    await client.nextCall(KV.method.range).fail(new Error("required revision has been compacted"));
    expect(instancer.current.state).toBe("pending");
    await clock.advance(100);
    await answerList(20n, ["b"]);
    expect(summary(instancer.current)).toBe("live 20/0 b");
  });

  it("begins the read anew when the cluster is rebuilt between two pages", async () => {
    const instancer = instancers.open("book");
    const another = { ...header(10n), clusterId: 8n };
    await client.nextCall(KV.method.range).answer({ header: header(10n), kvs: [pair("a", 3n)], more: true });
    await client.nextCall(KV.method.range).answer({ header: another, kvs: [pair("z", 4n)] });
    expect(instancer.current.state).toBe("pending");
    await clock.advance(100);
    await client.nextCall(KV.method.range).answer({ header: another, kvs: [pair("z", 4n)] });
    expect(summary(instancer.current)).toBe("live 10/0 z");
  });

  it("publishes the first change in the same turn, and then one view in 10 ms", async () => {
    const { views, stream } = await liveView();
    stream.message({ header: header(11n), events: [put("b", 11n)] });
    expect(summary(views.at(-1))).toBe("live 11/0 a,b");
    stream.message({ header: header(12n), events: [put("c", 12n)] });
    stream.message({ header: header(13n), events: [del("a", 13n)] });
    expect(views).toHaveLength(3);
    await clock.advance(10);
    expect(views.slice(3).map(summary)).toEqual(["live 13/0 b,c"]);
  });

  it("publishes the net result of a response, and nothing where it is nothing", async () => {
    const { views, stream } = await liveView();
    stream.message({ header: header(12n), events: [del("a", 11n), put("a", 12n)] });
    stream.message({ header: header(13n), events: [put("a", 13n)] });
    await clock.advance(100);
    expect(views.map(summary)).toEqual(["pending", "live 10/0 a"]);
  });

  it("applies the fragments of a response together", async () => {
    const { views, stream } = await liveView();
    stream.message({ header: header(11n), events: [put("b", 11n)], fragment: true });
    await clock.advance(100);
    expect(views).toHaveLength(2);
    stream.message({ header: header(11n), events: [put("c", 11n)] });
    expect(summary(views.at(-1))).toBe("live 11/0 a,b,c");
  });

  it("drops events from before the revision it asked for", async () => {
    const { views, stream } = await liveView();
    stream.message({ header: header(20n), events: [put("old", 9n), put("b", 11n)] });
    expect(summary(views.at(-1))).toBe("live 11/0 a,b");
  });

  it("loses nothing when the stream is cut in the middle of catching up", async () => {
    const { stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(50);
    await confirmed(2_500n);
    const second = client.nextStream(Watch.method.watch);
    created(second, 2_500n);
    second.message({ header: header(2_500n), events: [put("b", 11n)] });
    second.end(new Error("cut"));
    await clock.advance(200);
    await confirmed(2_500n, [pair("a", 10n), pair("b", 11n)]);
    expect(startRevisionOf(client.nextStream(Watch.method.watch))).toBe(12n);
  });

  it("keeps its view as it is while a stream moves to another member", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("member restarted"));
    await clock.advance(100);
    await confirmed(10n);
    created(client.nextStream(Watch.method.watch), 10n);
    await clock.advance(60_000);
    expect(views.map(summary)).toEqual(["pending", "live 10/0 a"]);
    expect(warnings).toEqual([]);
  });

  it("goes stale with its last instances when etcd is not heard for 2 s, and comes back by itself", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("connection refused"));
    for (let tries = 0; tries < 5; tries += 1) {
      await clock.advance(5_000);
      await client.nextCall(KV.method.txn).fail(new Error("connection refused"));
    }
    expect(views.slice(2).map(summary)).toEqual(["stale 10/0 a"]);
    expect(views.at(-1)).toMatchObject({ sinceEpochMs: 1_002_010, error: { message: "connection refused" } });
    await clock.advance(5_000);
    await confirmed(10n);
    created(client.nextStream(Watch.method.watch), 10n);
    expect(views.slice(3).map(summary)).toEqual(["live 10/0 a"]);
    expect(warnings).toEqual([
      'the view of "book" is stale, its last 1 instances stay in use: connection refused',
      'the view of "book" is live again after 28.0 s',
    ]);
  });

  it("does not call etcd silent for a time in which the process itself stood still", async () => {
    const instancer = instancers.open("book");
    await answerList(10n, ["a"]);
    stoodStillMs = 6_000;
    await clock.advance(2_000);
    expect(instancer.current.state).toBe("live");
    await clock.advance(2_000);
    expect(instancer.current.state).toBe("stale");
  });

  it("stays pending while etcd was never heard, and says why, once", async () => {
    const instancer = instancers.open("book");
    const views: Membership[] = [];
    instancer.subscribe((view) => views.push(view));
    for (let tries = 0; tries < 4; tries += 1) {
      await client.nextCall(KV.method.range).fail(new Error("connection refused"));
      await clock.advance(5_000);
    }
    expect(views).toMatchObject([{ state: "pending" }, { state: "pending", error: { message: "connection refused" } }]);
    expect(warnings).toEqual(['the view of "book" is not known yet: connection refused']);
  });

  it("says why etcd was never heard, also when the first list takes longer than the view is called fresh", async () => {
    instancers.open("book");
    await clock.advance(5_000);
    expect(warnings).toEqual([]);
    await client.nextCall(KV.method.range).fail(new Error("no etcd member answered: connection refused"));
    await clock.advance(2_000);
    expect(warnings).toEqual(['the view of "book" is not known yet: no etcd member answered: connection refused']);
  });

  it("says within 2 s why etcd was never heard, while the first list still goes on", async () => {
    const instancer = instancers.open("book");
    const list = client.nextCall(KV.method.range);
    list.options.onSilence?.(new Error("no etcd member answers: connection refused"));
    expect(instancer.current).toMatchObject({ error: { message: "no etcd member answers: connection refused" } });
    await clock.advance(2_000);
    expect(warnings).toEqual(['the view of "book" is not known yet: no etcd member answers: connection refused']);
    await list.answer({ header: header(10n), kvs: [pair("a", 10n)] });
    created(client.nextStream(Watch.method.watch), 10n);
    await clock.advance(10);
    expect(summary(instancer.current)).toBe("live 10/0 a");
    expect(instancer.current).not.toHaveProperty("error");
  });

  it("tells whoever holds a view that the registry was closed, and keeps the instances", async () => {
    const { instancer, views } = await liveView();
    const unknown = instancers.open("nobody");
    const seen: Membership[] = [];
    unknown.subscribe((view) => seen.push(view));
    await instancers.close();
    const error = { code: "CLOSED", message: "the registry is closed" };
    expect(views.at(-1)).toMatchObject({ state: "stale", instances: [{ address: "a:1" }], error });
    expect(instancer.current).toBe(views.at(-1));
    expect(seen).toMatchObject([{ state: "pending" }, { state: "pending", error }]);
  });

  it("lists again after a compaction and changes by the difference", async () => {
    const { views, stream } = await liveView(["a", "b"]);
    const before = views.at(-1);
    stream.message({ header: header(0n), canceled: true, compactRevision: 50n });
    expect(stream.ended).toBe("cancelled");
    await clock.advance(100);
    await client.nextCall(KV.method.range).answer({ header: header(60n), kvs: [pair("a", 10n), pair("c", 55n)] });
    expect(views.slice(2).map(summary)).toEqual(["live 60/0 a,c"]);
    expect(instancesOf(views.at(-1))[0]).toBe(instancesOf(before)[0]);
    expect(startRevisionOf(client.nextStream(Watch.method.watch))).toBe(61n);
  });

  it("asks the cluster and tries again when a member refuses the watch", async () => {
    const { instancer, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    await confirmed(10n);
    const refused = client.nextStream(Watch.method.watch);
    const cancelReason = "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token";
    refused.message({ header: header(10n), created: true, canceled: true, watchId: -1n, cancelReason });
    expect(refused.tokenRenewals).toBe(1);
    await clock.advance(200);
    await confirmed(10n);
    created(client.nextStream(Watch.method.watch), 10n);
    await clock.advance(5_000);
    expect(summary(instancer.current)).toBe("live 10/0 a");
  });

  it("passes over a member that lags, and believes the cluster", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    await confirmed(12n);
    const lagging = client.nextStream(Watch.method.watch);
    created(lagging, 8n);
    expect(lagging.ended).toMatchObject({ failed: expect.stringContaining("behind") });
    await clock.advance(100);
    await confirmed(12n);
    const next = client.nextStream(Watch.method.watch);
    expect(startRevisionOf(next)).toBe(11n);
    created(next, 12n);
    await clock.advance(5_000);
    expect(views.map(summary)).toEqual(["pending", "live 10/0 a"]);
  });

  it("asks less and less often behind an address where every stream meets a member that lags", async () => {
    const { stream } = await liveView();
    stream.end(new Error("cut"));
    let streams = 0;
    for (let passedMs = 0; passedMs < 60_000; passedMs += 100) {
      await clock.advance(100);
      while (client.waitingStreams(Watch.method.watch) > 0) {
        created(client.nextStream(Watch.method.watch), 8n);
        streams += 1;
      }
      while (client.waitingCalls(KV.method.txn) > 0) await confirmed(12n);
    }
    expect(streams).toBeGreaterThan(20);
    expect(streams).toBeLessThan(60);
  });

  it("publishes a rebuilt cluster as it is, in a new epoch", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    await client.nextCall(KV.method.txn).fail(futureRevision());
    await client.nextCall(KV.method.range).answer({ header: header(3n) });
    await client.nextCall(KV.method.range).answer({ header: header(3n), kvs: [pair("a", 2n), pair("z", 3n)] });
    expect(views.slice(2).map(summary)).toEqual(["live 3/1 a,z"]);
    expect(startRevisionOf(client.nextStream(Watch.method.watch))).toBe(4n);
    expect(warnings).toEqual(['the view of "book" was read anew because etcd was rebuilt or restored']);
  });

  it("knows a rebuilt cluster by its term when its revisions have caught up", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    await confirmed(500n, [pair("a", 10n)], 1n);
    await answerList(500n, ["new"], 1n);
    expect(views.slice(2).map(summary)).toEqual(["live 500/1 new"]);
  });

  it.each([
    ["the latest key was put at another revision", [pair("a", 9n)]],
    ["the latest key has another lease", [{ ...pair("a", 10n), lease: 5n }]],
    ["there is another key", [pair("z", 8n), pair("a", 10n)]],
    ["there is none", []],
  ])("knows a rebuilt cluster by its keys when it has overtaken all else: %s", async (_what, held) => {
    const { views, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    const call = client.nextCall(KV.method.txn);
    expect(call.request.success.map(({ request }) => request.value)).toMatchObject([
      { revision: 10n, countOnly: true },
      { key: bytes("/services/book/a:1"), revision: 10n, keysOnly: true },
    ]);
    const answers = [{ count: BigInt(held.length) }, { kvs: held.slice(-1) }];
    const responses = answers.map((value) => ({ response: { case: "responseRange" as const, value } }));
    await call.answer({ header: header(500n), succeeded: true, responses });
    await answerList(500n, ["new"]);
    expect(views.slice(2).map(summary)).toEqual(["live 500/1 new"]);
    expect(startRevisionOf(client.nextStream(Watch.method.watch))).toBe(501n);
  });

  it("knows a rebuilt cluster that has overtaken all else since it called the view's revision a future one", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    await client.nextCall(KV.method.txn).fail(futureRevision());
    await client.nextCall(KV.method.range).answer({ header: header(500n) });
    await answerList(500n, ["new"]);
    expect(views.slice(2).map(summary)).toEqual(["live 500/1 new"]);
  });

  it("knows a rebuilt cluster by its list where the revision of the view was compacted", async () => {
    const { views, stream } = await liveView();
    stream.end(new Error("cut"));
    await clock.advance(100);
    await client.nextCall(KV.method.txn).fail(compacted());
    await client.nextCall(KV.method.range).answer({ header: header(500n), kvs: [pair("a", 9n), pair("b", 450n)] });
    expect(views.slice(2).map(summary)).toEqual(["live 500/1 a,b"]);
  });

  it("gives a member up that answers everything but the watch", async () => {
    const instancer = instancers.open("book");
    await answerList(10n, ["a"]);
    const silent = client.nextStream(Watch.method.watch);
    await clock.advance(5_100);
    expect(silent.ended).toMatchObject({ failed: expect.stringContaining("did not answer") });
    expect(summary(instancer.current)).toBe("stale 10/0 a");
    await answerList(10n, ["a"]);
    created(client.nextStream(Watch.method.watch), 10n);
    expect(summary(instancer.current)).toBe("live 10/0 a");
  });

  it("renews a view by lists, and calls it stale once, while reads are answered and no watch is", async () => {
    const instancer = instancers.open("book");
    const views: Membership[] = [];
    instancer.subscribe((view) => views.push(view));
    for (const [index, hosts] of [["a"], ["a", "b"], ["b"]].entries()) {
      await answerList(BigInt(10 + index), hosts);
      client.nextStream(Watch.method.watch);
      await clock.advance(10_000);
    }
    expect(views.map(summary)).toEqual(["pending", "live 10/0 a", "stale 10/0 a", "stale 11/0 a,b", "stale 12/0 b"]);
    expect(warnings).toHaveLength(1);
    await answerList(12n, ["b"]);
    created(client.nextStream(Watch.method.watch), 12n);
    expect(summary(views.at(-1))).toBe("live 12/0 b");
  });

  it("leaves out a value that cannot be read, says which, and harms no other", async () => {
    const { instancer, stream, views } = await liveView(["a", "b"]);
    stream.message({ header: header(11n), events: [put("b", 11n, "{poison")] });
    expect(summary(views.at(-1))).toBe("live 11/0 a");
    expect([...instancer.skipped]).toEqual([["/services/book/b:1", '"{poison" begins like JSON and is not']]);
    expect(warnings).toHaveLength(1);
    await clock.advance(10);
    stream.message({ header: header(12n), events: [put("b", 12n)] });
    expect(summary(views.at(-1))).toBe("live 12/0 a,b");
    expect(instancer.skipped.size).toBe(0);
  });

  describe("an open stream", () => {
    const askedProgress = ({ sent }: BookStream) =>
      sent.filter(({ requestUnion }) => requestUnion.case === "progressRequest").length;
    /** The cluster's revision, as the check of a silent stream reads it. */
    const checkedAt = (revision: bigint, raftTerm?: bigint) => answerList(revision, [], raftTerm);
    const versionIs = (version: string) =>
      client.nextCall(Maintenance.method.status).answer({ header: header(10n), version });

    it("is not asked while the cluster's revision does not move, by one small read in 5 s", async () => {
      const { views, stream } = await liveView();
      await versionIs("3.5.16");
      for (let checks = 0; checks < 3; checks += 1) {
        await clock.advance(5_000);
        expect(client.waitingCalls(KV.method.range)).toBe(1);
        await checkedAt(10n);
      }
      await clock.advance(2_400);
      expect(client.waitingCalls(KV.method.range)).toBe(0);
      expect(askedProgress(stream)).toBe(0);
      expect(views.map(summary)).toEqual(["pending", "live 10/0 a"]);
    });

    it("shows by a report that it missed nothing, where the cluster's revision moved", async () => {
      const { views, stream } = await liveView();
      await versionIs("3.5.16");
      await clock.advance(5_000);
      await checkedAt(400n);
      expect(askedProgress(stream)).toBe(1);
      stream.message({ header: header(400n), watchId: -1n });
      await clock.advance(2_000);
      expect(client.waitingCalls(KV.method.range)).toBe(0);
      expect(views.map(summary)).toEqual(["pending", "live 10/0 a"]);
    });

    it("is deaf when it tells nothing of a change: it is passed over, and a list says what it kept from us", async () => {
      const { views, stream } = await liveView(["a", "b"]);
      await versionIs("3.5.16");
      await clock.advance(5_000);
      await checkedAt(12n);
      await clock.advance(1_500);
      const compare = client.nextCall(KV.method.range);
      expect(compare.request).toMatchObject({ revision: 12n, minModRevision: 11n, limit: 1n, keysOnly: true });
      await compare.answer({ header: header(12n), count: 1n });
      expect(stream.ended).toMatchObject({ failed: "it did not tell of a change up to revision 12" });
      await clock.advance(100);
      await client.nextCall(KV.method.range).answer({ header: header(12n), kvs: [pair("b", 10n)] });
      expect(startRevisionOf(client.nextStream(Watch.method.watch))).toBe(13n);
      expect(views.slice(2).map(summary)).toEqual(["live 12/0 b"]);
      expect(warnings).toEqual([]);
    });

    it.each([
      ["a key that was put", { kvs: [pair("b", 12n)], count: 2n }],
      ["a key that was deleted", { count: 0n }],
      ["a key in place of another", { kvs: [pair("b", 12n)], count: 1n }],
    ])("is deaf when it kept %s to itself", async (_what, answer) => {
      const { stream } = await liveView();
      await clock.advance(5_000);
      await checkedAt(12n);
      await clock.advance(1_500);
      await client.nextCall(KV.method.range).answer({ header: header(12n), ...answer });
      expect(stream.ended).toBeDefined();
    });

    it("that gives no reports is compared with the prefix, and less often", async () => {
      const { views, stream } = await liveView();
      await versionIs("3.4.23");
      await clock.advance(5_000);
      await checkedAt(400n);
      await clock.advance(1_500);
      await client.nextCall(KV.method.range).answer({ header: header(401n), count: 1n });
      expect(askedProgress(stream)).toBe(0);
      await clock.advance(14_000);
      expect(client.waitingCalls(KV.method.range)).toBe(0);
      await clock.advance(16_000);
      expect(client.waitingCalls(KV.method.range)).toBe(1);
      expect(views.map(summary)).toEqual(["pending", "live 10/0 a"]);
      stream.end(new Error("cut"));
      await clock.advance(100);
      await confirmed(401n);
      expect(startRevisionOf(client.nextStream(Watch.method.watch))).toBe(401n);
    });

    it("is not doubted any more once it tells a change, however late", async () => {
      const { views, stream } = await liveView();
      await clock.advance(5_000);
      await checkedAt(12n);
      await clock.advance(1_500);
      const compare = client.nextCall(KV.method.range);
      stream.message({ header: header(12n), events: [put("b", 12n)] });
      await compare.answer({ header: header(12n), kvs: [pair("b", 12n)], count: 2n });
      expect(stream.ended).toBeUndefined();
      expect(views.map(summary)).toEqual(["pending", "live 10/0 a", "live 12/0 a,b"]);
    });

    it("leaves the view stale while the cluster does not answer, and live when it does", async () => {
      const { views } = await liveView();
      await clock.advance(5_000);
      await client.nextCall(KV.method.range).fail(new Error("no etcd member answered within 5000 ms"));
      await clock.advance(2_000);
      expect(views.slice(2)).toMatchObject([{ state: "stale", error: { message: /within 5000 ms/ } }]);
      await clock.advance(3_000);
      await checkedAt(10n);
      expect(views.slice(3).map(summary)).toEqual(["live 10/0 a"]);
    });

    it("of a cluster that is no more is left, although it stays open", async () => {
      const { views, stream } = await liveView();
      await clock.advance(5_000);
      await checkedAt(500n, 1n);
      expect(stream.ended).toBe("cancelled");
      await answerList(500n, ["new"], 1n);
      expect(views.slice(2).map(summary)).toEqual(["live 500/1 new"]);
    });

    it("is checked once for all services of a registry", async () => {
      await liveView();
      instancers.open("shelf");
      await answerList(10n, []);
      created(client.nextStream(Watch.method.watch), 10n);
      await clock.advance(5_000);
      expect(client.waitingCalls(KV.method.range)).toBe(1);
    });

    it("is checked for each service where what one may read tells nothing of the other", async () => {
      await liveView();
      instancers.open("shelf");
      await answerList(10n, []);
      created(client.nextStream(Watch.method.watch), 10n);
      await clock.advance(5_000);
      await client.nextCall(KV.method.range).fail(new Error("permission denied"));
      await checkedAt(10n);
      expect(client.waitingCalls(KV.method.range)).toBe(0);
    });
  });

  describe("progress reports", () => {
    const reopenedFrom = async (stream: BookStream) => {
      stream.end(new Error("cut"));
      await clock.advance(100);
      await confirmed(400n);
      return startRevisionOf(client.nextStream(Watch.method.watch));
    };

    it("move the resume point when the member's version is known to be sound", async () => {
      const { stream } = await liveView();
      await client.nextCall(Maintenance.method.status).answer({ header: header(10n), version: "3.5.16" });
      stream.message({ header: header(400n), watchId: -1n });
      expect(await reopenedFrom(stream)).toBe(401n);
    });

    it.each(["3.4.23", "3.5.7"])("are not believed from etcd %s", async (version) => {
      const { stream } = await liveView();
      await client.nextCall(Maintenance.method.status).answer({ header: header(10n), version });
      stream.message({ header: header(400n), watchId: -1n });
      expect(await reopenedFrom(stream)).toBe(11n);
    });

    it("are not believed while the version is unknown, as when the question is refused", async () => {
      const { stream } = await liveView();
      await client.nextCall(Maintenance.method.status).fail(new Error("permission denied"));
      stream.message({ header: header(400n), watchId: -1n });
      expect(await reopenedFrom(stream)).toBe(11n);
    });

    it("are not believed from a member other than the one that told its version", async () => {
      const { stream } = await liveView();
      const other = { ...header(10n), memberId: 2n };
      await client.nextCall(Maintenance.method.status).answer({ header: other, version: "3.5.16" });
      stream.message({ header: header(400n), watchId: -1n });
      expect(await reopenedFrom(stream)).toBe(11n);
    });
  });

  describe("handles", () => {
    it("share one watch per service", async () => {
      const { instancer } = await liveView();
      const second = instancers.open("book");
      expect(second.current).toBe(instancer.current);
      expect(client.waitingCalls(KV.method.range)).toBe(0);
      instancers.open("shelf");
      expect(client.waitingCalls(KV.method.range)).toBe(1);
    });

    it("hear nothing after they are closed, while others go on", async () => {
      const { instancer, stream, views } = await liveView();
      const other = instancers.open("book");
      await instancer.close();
      stream.message({ header: header(11n), events: [put("b", 11n)] });
      expect(views).toHaveLength(2);
      expect(summary(instancer.current)).toBe("live 10/0 a");
      expect(summary(other.current)).toBe("live 11/0 a,b");
    });

    it("can be closed by their own observer, at the first call and within a change", async () => {
      const { stream } = await liveView();
      const seen: Membership[] = [];
      const atOnce = instancers.open("book");
      atOnce.subscribe((view) => {
        seen.push(view);
        void atOnce.close();
      });
      const later = instancers.open("book");
      later.subscribe((view) => {
        seen.push(view);
        if (seen.length > 2) void later.close();
      });
      stream.message({ header: header(11n), events: [put("b", 11n)] });
      await clock.advance(10);
      stream.message({ header: header(12n), events: [put("c", 12n)] });
      expect(seen.map(summary)).toEqual(["live 10/0 a", "live 10/0 a", "live 11/0 a,b"]);
    });

    it("find the watch still open within 5 s after the last one, and not after", async () => {
      const { instancer, stream } = await liveView();
      await instancer.close();
      await clock.advance(4_999);
      const again = instancers.open("book");
      expect(again.current.state).toBe("live");
      await again.close();
      await clock.advance(5_000);
      expect(stream.ended).toBe("cancelled");
      expect(instancers.open("book").current.state).toBe("pending");
    });

    it("leave no timer and no read behind when everything is closed", async () => {
      instancers.open("shelf");
      const read = client.nextCall(KV.method.range);
      const { stream } = await liveView();
      await instancers.close();
      expect(read.aborted).toBe(true);
      expect(stream.ended).toBe("cancelled");
      expect(clock.pendingTimers).toBe(0);
      expect(() => instancers.open("book")).toThrow(/closed/);
    });
  });
});

function compacted(): Error {
  return statusError(11, "etcdserver: mvcc: required revision has been compacted", "member-1");
}

function futureRevision(): Error {
  return statusError(11, "etcdserver: mvcc: required revision is a future revision", "member-1");
}

function instancesOf(view: Membership | undefined) {
  return view === undefined || view.state === "pending" ? [] : view.instances;
}

/** `live 10/0 a,b`: state, revision and epoch, and the hosts. */
function summary(view: Membership | undefined): string {
  if (view === undefined || view.state === "pending") return "pending";
  const hosts = view.instances.map(({ address }) => address.split(":")[0]);
  return `${view.state} ${view.revision}/${view.epoch} ${hosts.join(",")}`;
}

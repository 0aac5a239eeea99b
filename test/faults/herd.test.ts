/**
 * How clients that lost their etcd together come back, in virtual time: a machine that is busy with two hundred real clients
 * bunches them by itself. Real clients of a real etcd are in busy/herd.test.ts.
 */
import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { seededRandom } from "rollcall";
import { virtualClock } from "rollcall/testing";
import { expect, test } from "vitest";
import { EtcdError } from "../../src/registry/etcd/client/etcd-error.js";
import { KV, Watch } from "../../src/registry/etcd/proto/etcd_pb.js";
import { etcdInstancers } from "../../src/registry/etcd/watch/instancers.js";
import { goKitLayout } from "../../src/registry/layouts/go-kit.js";
import { massDeletionRule } from "../../src/registry/mass-deletion.js";
import { scriptedEtcdClient } from "../support/scripted-etcd-client.js";

const CLIENTS = 200;
const STEP_MS = 5;
const header = { clusterId: 7n, memberId: 1n, raftTerm: 2n, revision: 10n };

test("22: watchers that lost etcd together try again one by one, while it is down and when it is back", async () => {
  const clock = virtualClock();
  const client = scriptedEtcdClient();
  const crowd = Array.from({ length: CLIENTS }, (_, seed) =>
    etcdInstancers({
      client,
      layout: goKitLayout(),
      clock,
      random: seededRandom(seed),
      logger: { warn() {}, info() {} },
      massDeletion: massDeletionRule(),
      snapshots: undefined,
    }),
  );
  const views = crowd.map((instancers) => instancers.open("book"));
  const allLive = () => views.every(({ current }) => current.state === "live");
  /** When somebody asked in vain, or opened a watch. */
  const triesMs: number[] = [];
  const ends = new Set<() => void>();
  let up = true;

  const answerAll = async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    answer: MessageInitShape<O>,
  ) => {
    while (client.waitingCalls(method) > 0) {
      const call = client.nextCall(method);
      if (!up) triesMs.push(clock.nowMs());
      await (up ? call.answer(answer) : call.fail(away));
    }
  };
  /** Lets time pass, with an etcd that holds nobody and answers at once, or is not there. */
  const pass = async (durationMs: number) => {
    for (const endMs = clock.nowMs() + durationMs; clock.nowMs() < endMs; await clock.advance(STEP_MS)) {
      // Nobody is registered: a list or a check, and whether this is still the cluster that was listed.
      await answerAll(KV.method.range, { header });
      await answerAll(KV.method.txn, { header, responses: [{ response: { case: "responseRange", value: {} } }] });
      while (client.waitingStreams(Watch.method.watch) > 0) {
        const stream = client.nextStream(Watch.method.watch);
        triesMs.push(clock.nowMs());
        ends.add(() => stream.end(away));
        if (up) stream.message({ header, created: true });
        else stream.end(away);
      }
    }
  };
  const triesIn = (fromMs: number, toMs: number) => triesMs.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
  const mostIn = (fromMs: number, toMs: number, widthMs: number) => {
    let most = 0;
    for (let atMs = fromMs; atMs < toMs; atMs += widthMs) most = Math.max(most, triesIn(atMs, atMs + widthMs));
    return most;
  };
  await pass(10_000);
  expect(allLive()).toBe(true);

  up = false;
  const downMs = clock.nowMs();
  for (const end of ends) end();
  await pass(30_000);
  expect(allLive()).toBe(false);
  // At once, so that a member's restart passes unnoticed, and yet not all in the same moment: each within 100 ms.
  expect(triesIn(downMs, downMs + 110)).toBeGreaterThanOrEqual(CLIENTS);
  expect(mostIn(downMs, downMs + 110, 10)).toBeLessThan(CLIENTS / 4);
  // Then each about every 2.5 s, at any moment: 8 of 200 in 100 ms on average.
  expect(triesIn(downMs + 10_000, downMs + 30_000)).toBeLessThan((CLIENTS * 20_000) / 2_000);
  expect(mostIn(downMs + 10_000, downMs + 30_000, 100)).toBeLessThan(CLIENTS / 8);

  up = true;
  const upMs = clock.nowMs();
  await pass(5_100);
  expect(allLive()).toBe(true);
  expect(triesIn(upMs, upMs + 5_100)).toBe(CLIENTS);
  expect(mostIn(upMs, upMs + 5_100, 100)).toBeLessThan(CLIENTS / 8);
  await Promise.all(crowd.map((instancers) => instancers.close()));
});

const away = new EtcdError("unavailable", status.UNAVAILABLE, "nobody is there");

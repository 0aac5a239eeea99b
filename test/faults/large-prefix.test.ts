/** A service of ten thousand instances that say a kilobyte each: more than a message may hold, and longer read than history may last. */
import type { Membership } from "rollcall";
import { goKitLayout } from "rollcall/etcd";
import { describe, expect, test } from "vitest";
import { type EtcdClient, etcdClient } from "../../src/registry/etcd/client/client.js";
import { keyBytes } from "../../src/registry/etcd/client/key-range.js";
import { KV } from "../../src/registry/etcd/proto/etcd_pb.js";
import type { EtcdMember } from "../support/etcd.js";
import { eventually } from "../support/registrations.js";
import type { TcpProxy } from "../support/tcp-proxy.js";
import { follow } from "./lab/follower.js";
import { startLaboratory } from "./lab/laboratory.js";

const COUNT = 10_000;
/** grpc-js's own limit, which ends a client that reads all keys with one request. */
const MESSAGE_LIMIT = 4 * 1_024 * 1_024;
const LAYOUT = goKitLayout();

async function start(version: "3.4" | "3.5") {
  const lab = await startLaboratory({ size: 1, version });
  const member = lab.cluster.members[0] as EtcdMember; // of one
  const proxy = (await lab.network()).proxies[0] as TcpProxy; // one for each member
  const client = lab.owns(etcdClient({ endpoints: lab.cluster.endpoints, timeoutMs: 30_000, logger: false }));
  await writeAll(client, "first");
  return { lab, member, proxy, client, [Symbol.asyncDispose]: lab.stop };
}

const address = (index: number) => `host-${String(index).padStart(5, "0")}:1`;

function put(index: number, version: string) {
  const instance = { address: address(index), version, metadata: { about: "x".repeat(1_000) } };
  const [entry] = LAYOUT.encode("book", instance, 0n);
  const request = { key: keyBytes(entry?.key ?? ""), value: entry?.value ?? new Uint8Array() };
  return { request: { case: "requestPut", value: request } } as const;
}

/** A hundred instances in one revision. */
async function writeAll(client: EtcdClient, version: string): Promise<void> {
  for (let from = 0; from < COUNT; from += 100) {
    const success = Array.from({ length: 100 }, (_, offset) => put(from + offset, version));
    await client.unary(KV.method.txn, { success });
  }
}

const instances = (view: Membership) => (view.state === "pending" ? [] : view.instances);

/** How many reads of a range were answered so far. */
async function rangesAnswered(member: EtcdMember): Promise<number> {
  const page = await (await fetch(`http://${member.endpoint}/metrics`)).text();
  return Number(/^grpc_server_handled_total\{grpc_code="OK",grpc_method="Range".*\} (\d+)$/m.exec(page)?.[1] ?? 0);
}

describe.concurrent.each(["3.4", "3.5"] as const)("ten thousand keys in etcd %s", (version) => {
  test("24: they are read as they stood at one moment, although each page is read at another, and followed", async () => {
    await using at = await start(version);
    const { client, proxy } = at;
    // One more that changes its place, always from one end of the walk to the other: pages of two moments show none, or two.
    let moves = 0;
    let moving = true;
    const move = async () => {
      const at = (place: string) => keyBytes(`/services/book/${place}`);
      for (; moving; moves += 1) {
        const [from, to] = moves % 2 === 0 ? (["zulu:1", "alpha:1"] as const) : (["alpha:1", "zulu:1"] as const);
        await client.unary(KV.method.txn, {
          success: [
            { request: { case: "requestDeleteRange", value: { key: at(from) } } },
            { request: { case: "requestPut", value: { key: at(to), value: keyBytes(to) } } },
          ],
        });
      }
    };
    await proxy.set({ bytesPerSecond: 8_000_000 });
    const moved = move();
    const book = at.lab.owns(follow([proxy.endpoint]));
    await book.until(({ state }) => state === "live");
    expect(moves).toBeGreaterThan(20);
    await proxy.set("pass");
    moving = false;
    await moved;
    const size = (each: Membership) =>
      instances(each).reduce((sum, { metadata }) => sum + (metadata?.about?.length ?? 0), 0);
    for (const { view } of book.views) {
      if (view.state === "pending") continue;
      expect(instances(view)).toHaveLength(COUNT + 1);
      expect(size(view)).toBeGreaterThan(2 * MESSAGE_LIMIT);
    }

    // And all of them change while it is cut off: the watch tells it in messages as large.
    await proxy.set("refuse");
    await writeAll(client, "second");
    await proxy.set("pass");
    await book.until(
      (view) => view.state === "live" && instances(view).filter((each) => each.version === "second").length === COUNT,
    );
    expect(book.views.filter(({ view }) => view.state !== "pending" && instances(view).length !== COUNT + 1)).toEqual(
      [],
    );
  });

  test("25: a compaction in the middle of the walk has it begin anew, and the view is complete", async () => {
    await using at = await start(version);
    const { client, member, proxy } = at;
    await proxy.set({ bytesPerSecond: 2_000_000 });
    const before = await rangesAnswered(member);
    const book = at.lab.owns(follow([proxy.endpoint]));
    await eventually(
      () => rangesAnswered(member),
      (answered) => answered - before >= 2,
    );
    const { header } = await client.unary(KV.method.txn, { success: [put(0, "second")] });
    await client.unary(KV.method.compact, { revision: header?.revision ?? 0n });
    await book.until((view) => view.state === "pending" && /has been compacted/.test(view.error?.message ?? ""));
    await proxy.set("pass");
    const view = await book.until(({ state }) => state === "live");
    expect(instances(view).map((each) => each.address)).toEqual(
      Array.from({ length: COUNT }, (_, index) => address(index)),
    );
    expect(instances(view)[0]?.version).toBe("second");
  });
});

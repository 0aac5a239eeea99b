/** Instancers on real etcd, while members die, hang and are rebuilt, and the network cuts in the worst moment. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Instancer, Membership, Registry } from "rollcall";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { afterEach, describe, expect, it } from "vitest";
import { type EtcdClient, etcdClient } from "../../src/registry/etcd/client/client.js";
import { keyBytes } from "../../src/registry/etcd/client/key-range.js";
import { KV } from "../../src/registry/etcd/proto/etcd_pb.js";
import { type EtcdMember, startCluster, startEtcd } from "../support/etcd.js";
import { startTcpProxy } from "../support/tcp-proxy.js";

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Has `thing` ended after the test, in the reverse order of their making. */
function owned<T extends AsyncDisposable>(thing: T): T {
  cleanups.push(async () => thing[Symbol.asyncDispose]());
  return thing;
}

function registry(endpoints: readonly string[], options: Partial<EtcdOptions> = {}): Registry {
  return owned(etcd({ endpoints, logger: false, random: () => 0, ...options })); // random 0 keeps the order given
}

interface Followed {
  readonly instancer: Instancer;
  readonly views: readonly Membership[];
  /** Resolves with the first view, past ones from `from` on included, that `accept` takes. */
  until(accept: (view: Membership) => boolean, from?: number): Promise<Membership>;
}

function follow(of: Registry, service = "book"): Followed {
  const instancer = of.instancer(service);
  const views: Membership[] = [];
  const news = new EventTarget();
  instancer.subscribe((view) => {
    views.push(view);
    news.dispatchEvent(new Event("view"));
  });
  return {
    instancer,
    views,
    async until(accept, from = 0) {
      for (let next = from; ; next += 1) {
        while (next >= views.length) await once(news, "view", { signal: AbortSignal.timeout(45_000) });
        const view = views[next];
        if (view && accept(view)) return view;
      }
    },
  };
}

const put = (member: EtcdMember, host: string, service = "book") =>
  member.etcdctl("put", `/services/${service}/${host}:1`, `${host}:1`);
const hosts = (view: Membership) =>
  view.state === "pending" ? [] : view.instances.map(({ address }) => address.split(":")[0] ?? "");
const holds = (...expected: readonly string[]) => {
  return (view: Membership) => view.state === "live" && hosts(view).join() === expected.join();
};
const revisions = (views: readonly Membership[]) =>
  views.flatMap((view) => (view.state === "pending" ? [] : [view.revision]));

function expectNeverEmptyNorBack({ views }: Followed): void {
  const known = views.filter((view) => view.state !== "pending");
  expect(known.filter((view) => view.instances.length === 0)).toEqual([]);
  expect(revisions(views)).toEqual(revisions(views).toSorted((a, b) => Number(a - b)));
}

async function putMany(client: EtcdClient, names: readonly string[]): Promise<void> {
  const left = [...names];
  const writer = async () => {
    for (let name = left.pop(); name; name = left.pop()) {
      const value = keyBytes(`${name}:1`);
      await client.unary(KV.method.put, { key: keyBytes(`/services/book/${name}:1`), value }, { timeoutMs: 20_000 });
    }
  };
  await Promise.all(Array.from({ length: 50 }, writer));
}

/** A view of `a` and `b` whose watch runs on the first member, and a writer on the others. */
async function watchingOnTheFirstOfThree() {
  const cluster = owned(await startCluster(3));
  const [first, ...others] = cluster.members as [EtcdMember, ...EtcdMember[]];
  const writer = owned(etcdClient({ endpoints: others.map(({ endpoint }) => endpoint), logger: false }));
  await putMany(writer, ["a"]);
  const book = follow(registry(cluster.endpoints));
  await book.until(holds("a"));
  await putMany(writer, ["b"]);
  await book.until(holds("a", "b")); // told by the watch, which therefore runs
  return { first, writer, book };
}

describe("an instancer on etcd", () => {
  it("is pending while etcd is down from the start, and live once it is up", async () => {
    const member = owned(await startEtcd());
    await put(member, "a");
    await member.kill();
    const book = follow(registry([member.endpoint]));
    await delay(3_000);
    expect(book.instancer.current).toMatchObject({
      state: "pending",
      error: { message: expect.stringContaining(`connect ECONNREFUSED ${member.endpoint}`) },
    });
    await member.restart();
    await book.until(holds("a"));
  });

  it("goes stale within seconds of an outage, keeps its instances, and comes back by itself", async () => {
    const member = owned(await startEtcd());
    await put(member, "a");
    const book = follow(registry([member.endpoint]));
    await book.until(holds("a"));
    const startMs = performance.now();
    await member.kill();
    expect(hosts(await book.until(({ state }) => state === "stale"))).toEqual(["a"]);
    expect(performance.now() - startMs).toBeLessThan(15_000);
    await member.restart();
    await put(member, "b");
    await book.until(holds("a", "b"));
    expectNeverEmptyNorBack(book);
  });

  it("moves to another member when its own is killed, without a stale view", async () => {
    const { first, writer, book } = await watchingOnTheFirstOfThree();
    await first.kill();
    await putMany(writer, ["c"]); // waits for an election if the first member led
    await book.until(holds("a", "b", "c"));
    expect(book.views.map(({ state }) => state)).not.toContain("stale");
    expectNeverEmptyNorBack(book);
  });

  it("needs no more than read permission on its prefix, and outlives its token", async () => {
    const member = owned(await startEtcd({ args: ["--auth-token-ttl", "3"] }));
    const proxy = owned(await startTcpProxy(member.endpoint));
    const asRoot = (...args: readonly string[]) => member.etcdctl("--user=root:secret", ...args);
    await member.etcdctl("user", "add", "root:secret");
    await member.etcdctl("user", "grant-role", "root", "root");
    await member.etcdctl("role", "add", "reader");
    await member.etcdctl("role", "grant-permission", "reader", "--prefix=true", "read", "/services/book/");
    await member.etcdctl("user", "add", "reader:pages");
    await member.etcdctl("user", "grant-role", "reader", "reader");
    await member.etcdctl("auth", "enable");
    await asRoot("put", "/services/book/a:1", "a:1");
    const book = follow(registry([proxy.endpoint], { user: "reader", password: "pages" }));
    await book.until(holds("a"));
    await proxy.set("refuse");
    await delay(6_000); // past the token's life, which etcd looks at once a second
    await proxy.set("pass");
    await asRoot("put", "/services/book/b:1", "b:1");
    await book.until(holds("a", "b"));
    expectNeverEmptyNorBack(book);
  });
});

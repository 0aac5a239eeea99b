/** What stands under the prefix, how much of it changes, and who else uses the client: none of it may harm a view. */
import { setTimeout as sleep } from "node:timers/promises";
import { endpoints, firstMatch, type Instance } from "rollcall";
import { etcd } from "rollcall/etcd";
import { describe, expect, test } from "vitest";
import { expectExact, follow, holds, hosts } from "./lab/follower.js";
import { startLaboratory } from "./lab/laboratory.js";
import { startWriter } from "./lab/writer.js";

async function start() {
  const lab = await startLaboratory({ size: 1 });
  const writer = lab.owns(startWriter(lab.cluster.endpoints));
  return { lab, writer, ...lab.cluster, [Symbol.asyncDispose]: lab.stop };
}

/** How many reads etcd has answered, by its own count. */
async function readsOf(endpoint = ""): Promise<number> {
  const metrics = await (await fetch(`http://${endpoint}/metrics`)).text();
  const count = /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Range".*\} (\S+)$/m.exec(metrics)?.[1];
  if (count === undefined) throw new Error(`${endpoint} does not say how many reads it has answered`);
  return Number(count);
}

describe.concurrent("a view", () => {
  test("29: values that cannot be read are left out, counted and named, and harm no other", async () => {
    await using all = await start();
    const { lab, writer, etcdctl } = all;
    const book = lab.owns(follow(lab.cluster.endpoints));
    await writer.put(["a"]);
    await etcdctl("put", "/services/book/listed:1", "{poison");
    await book.until(holds("a"));
    await etcdctl("put", "/services/book/watched:1", "");
    await writer.put(["b"]);
    await book.until(holds("a", "b"));
    expect([...book.instancer.skipped.keys()].sort()).toEqual(["/services/book/listed:1", "/services/book/watched:1"]);
    await writer.put(["listed", "watched"]);
    await book.until(holds("a", "b", "listed", "watched"));
    expect(book.instancer.skipped.size).toBe(0);
  });

  test("30: a service whose name begins like another's does not mix with it", async () => {
    await using all = await start();
    const { lab, writer } = all;
    const auditor = lab.auditor("/services/book/");
    await writer.put(["a"]);
    await writer.put(["x"], "bookstore");
    const book = lab.owns(follow(lab.cluster.endpoints));
    const bookstore = lab.owns(follow(lab.cluster.endpoints, { service: "bookstore" }));
    await book.until(holds("a"));
    await bookstore.until(holds("x"));
    await writer.put(["y"], "bookstore");
    await writer.del(["x"], "bookstore");
    await bookstore.until(holds("y"));
    await writer.put(["b"]);
    await book.until(holds("a", "b"));
    expect(book.views.map(({ view }) => hosts(view))).toEqual([[], ["a"], ["a", "b"]]);
    await auditor.caughtUp();
    expectExact(book.views, auditor);
  });

  test("31: an address that stands under two keys is one endpoint, for as long as it stands under one of them", async () => {
    await using all = await start();
    const { lab, etcdctl } = all;
    const registry = lab.owns(etcd({ endpoints: lab.cluster.endpoints, logger: false }));
    const connected: string[] = [];
    const closed: string[] = [];
    const connect = ({ address }: Instance) => {
      connected.push(address);
      return { client: address, [Symbol.asyncDispose]: async () => void closed.push(address) };
    };
    for (const key of ["one", "two"]) await etcdctl("put", `/services/book/${key}`, "10.0.0.1:1");
    await etcdctl("put", "/services/book/three", "10.0.0.2:1");
    const endpointer = lab.owns(endpoints(registry.instancer("book"), connect));
    const instancer = registry.instancer("book");
    const views = (accept: (keys: readonly string[]) => boolean) =>
      firstMatch(
        instancer,
        (view) => view.state !== "pending" && accept(view.instances.map(({ id }) => id.split("/").at(-1) ?? "")),
        AbortSignal.timeout(20_000),
      );
    await views((keys) => keys.length === 3);
    expect(endpointer.current.map(({ address }) => address)).toEqual(["10.0.0.1:1", "10.0.0.2:1"]);
    await etcdctl("del", "/services/book/one");
    await views((keys) => keys.join() === "three,two");
    expect(endpointer.current.map(({ address }) => address).sort()).toEqual(["10.0.0.1:1", "10.0.0.2:1"]);
    expect(connected.sort()).toEqual(["10.0.0.1:1", "10.0.0.2:1"]);
    expect(closed).toEqual([]);
    await etcdctl("del", "/services/book/two");
    await views((keys) => keys.join() === "three");
    expect(endpointer.current.map(({ address }) => address)).toEqual(["10.0.0.2:1"]);
    expect(connected).toHaveLength(2);
  });

  test("32: one registry registers and watches several services, and the end of one leaves the others", async () => {
    await using all = await start();
    const { lab, writer } = all;
    const registry = lab.owns(etcd({ endpoints: lab.cluster.endpoints, logger: false }));
    const shows = (service: string, expected: readonly string[]) =>
      firstMatch(registry.instancer(service), holds(...expected), AbortSignal.timeout(20_000));
    const instancer = registry.instancer("book");
    await shows("book", []);
    const registration = await registry.register("book", { address: "own:1" });
    const other = await registry.register("shelf", { address: "own:2" });
    await shows("book", ["own"]);
    await shows("shelf", ["own"]);
    await instancer.close();
    await registration.close();
    await shows("book", []);
    await writer.put(["a"]);
    await shows("book", ["a"]);
    await writer.put(["b"], "shelf");
    await shows("shelf", ["own", "b"]);
    expect(other.current.state).toBe("registered");
  });

  test("23: a rolling deployment of 200 instances costs 20 clients no read of the service", async () => {
    await using all = await start();
    const { lab, writer } = all;
    const names = (generation: string) => Array.from({ length: 200 }, (_, index) => `${generation}-${index}`);
    await writer.put(names("old"));
    const books = lab.cluster.endpoints.flatMap((endpoint) =>
      Array.from({ length: 20 }, () => lab.owns(follow([endpoint]))),
    );
    await Promise.all(books.map((book) => book.until(holds(...names("old")))));
    const before = await readsOf(lab.cluster.endpoints[0]);
    for (let next = 0; next < 200; next += 1) {
      await writer.put([`new-${next}`]);
      await writer.del([`old-${next}`]);
    }
    await Promise.all(books.map((book) => book.until(holds(...names("new")))));
    // 400 changes, each seen by 20. What is read is one key now and then, as proof of life.
    expect((await readsOf(lab.cluster.endpoints[0])) - before).toBeLessThan(20 * 20);
  });

  test("37: a client that stands still for 6 s during 1,000 changes has the last of them afterwards, and is not stale", async () => {
    await using all = await start();
    const { lab, writer } = all;
    const auditor = lab.auditor();
    await writer.put(["steady"]);
    const client = await lab.participant();
    await client.watch();
    await client.until(() => holds("steady")(client.view()));
    const blocked = client.block(6_000);
    for (let times = 0; times < 10; times += 1) {
      const names = Array.from({ length: 50 }, (_, index) => `h${index}`);
      await writer.put(names);
      await writer.del(names);
    }
    await writer.put(["last"]);
    await blocked;
    await client.until(() => holds("steady", "last")(client.view()));
    await sleep(3_000); // as long as it takes to be called stale
    const stale = client.views.filter(({ view }) => view.state === "stale");
    expect(stale).toEqual([]);
    expect(client.views.length).toBeLessThan(100);
    await auditor.caughtUp();
    expectExact(client.views, auditor);
  });

  test("37: an observer that takes 100 ms for a view gets fewer of them, and the last", async () => {
    await using all = await start();
    const { lab, writer } = all;
    await writer.put(["steady"]);
    const client = await lab.participant();
    await client.watch();
    await client.until(() => holds("steady")(client.view()));
    const churn = writer.churn(5);
    for (let times = 0; times < 20; times += 1) await client.block(100);
    const changes = await churn.stop();
    await writer.put(["last"]);
    await client.until(() => hosts(client.view()).includes("last"));
    expect(client.views.length).toBeLessThan(changes);
  });
});

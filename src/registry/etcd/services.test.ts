import { afterEach, beforeEach, expect, test } from "vitest";
import { type EmbeddedRegistry, startEmbedded } from "../../embedded/index.js";
import { type EtcdClient, etcdClient } from "./client/client.js";
import { keyBytes } from "./client/key-range.js";
import { KV } from "./proto/etcd_pb.js";
import { listServices } from "./services.js";

let registry: EmbeddedRegistry;
let client: EtcdClient;

beforeEach(async () => {
  registry = await startEmbedded();
  client = etcdClient({ endpoints: [registry.endpoint] });
});

afterEach(async () => {
  await client.close();
  await registry.close();
});

async function put(...keys: readonly string[]): Promise<void> {
  for (const key of keys) await client.unary(KV.method.put, { key: keyBytes(key), value: keyBytes("x") });
}

test("counts the keys of each service, in the order of the names", async () => {
  await put("/services/bookstore/a:1", "/services/book/b:1", "/services/book/a:1", "/other/film/a:1");
  expect([...(await listServices(client, "/services/"))]).toEqual([
    ["book", 2],
    ["bookstore", 1],
  ]);
});

test("leaves out keys that stand under no service", async () => {
  await put("/services/loose", "/services//a:1", "/services/book/a:1");
  expect([...(await listServices(client, "/services/"))]).toEqual([["book", 1]]);
});

test("an empty registry has no services", async () => {
  expect((await listServices(client, "/services/")).size).toBe(0);
});

test("reads on after the first page, at the first page's revision", async () => {
  const requests: { readonly revision?: bigint }[] = [];
  const recording = Object.create(client, {
    unary: {
      value: async (method: typeof KV.method.range, request: { revision?: bigint }, options: object) => {
        requests.push(request);
        const answer = await client.unary(method, { ...request, limit: 2n }, options);
        if (requests.length === 1) await put("/services/zoo/late:1");
        return answer;
      },
    },
  }) as EtcdClient; // everything else is the client's own
  await put("/services/a/1:1", "/services/a/2:1", "/services/b/1:1", "/services/b/2:1", "/services/c/1:1");
  expect([...(await listServices(recording, "/services/"))]).toEqual([
    ["a", 2],
    ["b", 2],
    ["c", 1],
  ]);
  expect(requests.length).toBe(3);
});

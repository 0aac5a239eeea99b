import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { type ClientDuplexStream, credentials, makeClientConstructor, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { RollcallError } from "../errors.js";
import { serviceDefinition } from "../method-definitions.js";
import { Cluster, KV, Lease, type MemberListResponse, Watch } from "../registry/etcd/proto/etcd_pb.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { type EmbeddedRegistry, startEmbedded } from "./server.js";

const EtcdClient = makeClientConstructor(
  Object.assign({}, ...[KV, Watch, Lease, Cluster].map(serviceDefinition)),
  "etcd",
);
type Client = InstanceType<typeof EtcdClient>;

const opened: Client[] = [];
afterEach(() => {
  for (const client of opened.splice(0)) client.close();
});

function connect(endpoint: string): Client {
  const client = new EtcdClient(endpoint, credentials.createInsecure());
  opened.push(client);
  return client;
}

function call<T>(client: Client, method: string, request: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const invoke = client[method] as (request: object, done: (error: Error | null, response: T) => void) => void;
    invoke.call(client, request, (error, response) => (error ? reject(error) : resolve(response)));
  });
}

it("says so when the port is taken, and what to do", async () => {
  await using first = await startEmbedded();
  const second = startEmbedded({ listen: first.endpoint });
  await expect(second).rejects.toBeInstanceOf(RollcallError);
  await expect(second).rejects.toMatchObject({
    code: "ADDRESS_IN_USE",
    message: expect.stringContaining(`cannot listen on ${first.endpoint}: the port is in use`),
  });
});

it.each(["2379", "127.0.0.1", "127.0.0.1:99999", "192.0.2.1:0"])("refuses to listen on %s", async (listen) => {
  await expect(startEmbedded({ listen })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

it("closing tells open streams that the server has stopped, and frees the port and every timer", async () => {
  const clock = virtualClock();
  const registry = await startEmbedded({ clock });
  const client = connect(registry.endpoint);
  await call(client, "leaseGrant", { ID: 1n, TTL: 10n });
  const streams = [client.watch?.(), client.leaseKeepAlive?.()] as ClientDuplexStream<object, object>[];
  const [watch, keepAlive] = streams;
  watch?.write({ requestUnion: { case: "createRequest", value: { progressNotify: true } } });
  keepAlive?.write({ ID: 1n });
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once("data", resolve))));
  const ends = streams.map((stream) => new Promise<ServiceError>((resolve) => stream.once("error", resolve)));

  await registry.close();
  for (const error of await Promise.all(ends)) {
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: "etcdserver: server stopped" });
  }
  expect(clock.pendingTimers).toBe(0);
  await expect(canListen(registry)).resolves.toBe(true);
  await registry.close();
});

it.each(["cancelled", "cut"])("a client whose connection is %s leaves no watch behind", async (how) => {
  const clock = virtualClock();
  await using registry = await startEmbedded({ clock });
  await using proxy = await startProxy(registry.endpoint);
  const client = connect(proxy.address);
  const watch = client.watch?.() as ClientDuplexStream<object, object>;
  watch.on("error", () => {});
  watch.write({ requestUnion: { case: "createRequest", value: { progressNotify: true } } });
  await new Promise((resolve) => watch.once("data", resolve));
  expect(clock.pendingTimers).toBe(1);

  if (how === "cancelled") watch.cancel();
  else proxy.cut();
  await expect.poll(() => clock.pendingTimers, { timeout: 10_000 }).toBe(0);
});

it("refuses a progress interval of nothing", async () => {
  await expect(startEmbedded({ progressNotifyMs: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

it("listening everywhere, it tells each client the address by which that came", async () => {
  await using registry = await startEmbedded({ listen: "0.0.0.0:0" });
  const address = registry.endpoint.replace("0.0.0.0", "127.0.0.1");
  const { members } = await call<MemberListResponse>(connect(address), "memberList", {});
  expect(members.map(({ clientURLs }) => clientURLs)).toEqual([[`http://${address}`]]);
});

it("each start is another cluster", async () => {
  const ids = [];
  for (let start = 0; start < 2; start += 1) {
    await using registry = await startEmbedded();
    const { header } = await call<MemberListResponse>(connect(registry.endpoint), "memberList", {});
    ids.push(header?.clusterId);
  }
  expect(ids[0]).not.toBe(ids[1]);
});

it("refuses a transaction inside a transaction in plain words", async () => {
  await using registry = await startEmbedded();
  const nested = { request: { case: "requestTxn", value: {} } };
  await expect(call(connect(registry.endpoint), "txn", { success: [nested] })).rejects.toMatchObject({
    code: status.UNIMPLEMENTED,
    details: expect.stringContaining("does not take a transaction inside a transaction"),
  });
});

/** Passes bytes through until it is told to cut every connection. */
async function startProxy(endpoint: string) {
  const [host, port] = endpoint.split(":");
  const sockets = new Set<Socket>();
  const server = createServer((inward) => {
    const outward = createConnection(Number(port), host);
    for (const socket of [inward, outward]) sockets.add(socket.on("error", () => {}));
    inward.pipe(outward).pipe(inward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`, // a TCP server's address has a port
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function canListen({ endpoint }: EmbeddedRegistry): Promise<boolean> {
  const [host, port] = endpoint.split(":");
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(Number(port), host, () => probe.close(() => resolve(true)));
  });
}

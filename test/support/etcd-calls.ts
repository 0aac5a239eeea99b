/** The few things that tests of the etcd client do with one. */
import { type EtcdClient, type EtcdClientOptions, etcdClient } from "../../src/registry/etcd/client/client.js";
import { prefixRange } from "../../src/registry/etcd/client/key-range.js";
import { KV, Watch, type WatchResponse } from "../../src/registry/etcd/proto/etcd_pb.js";

/** A client that tries the members in the order given, and keeps quiet. */
export function quietClient(endpoints: readonly string[], options: Partial<EtcdClientOptions> = {}): EtcdClient {
  return etcdClient({ endpoints, random: () => 0, logger: false, ...options });
}

export function put(client: EtcdClient, key: string, value: string | Uint8Array) {
  return client.unary(KV.method.put, {
    key: Buffer.from(key),
    value: typeof value === "string" ? Buffer.from(value) : value,
  });
}

export async function get(client: EtcdClient, key: string): Promise<string | undefined> {
  const { kvs } = await client.unary(KV.method.range, { key: Buffer.from(key) });
  return kvs[0] && Buffer.from(kvs[0].value).toString();
}

/** A watch on `prefix` that remembers what it was told. */
export function watch(client: EtcdClient, prefix: string) {
  const messages: WatchResponse[] = [];
  const created = deferred<WatchResponse>();
  const ended = deferred<Error>();
  const stream = client.stream(
    Watch.method.watch,
    {
      onMessage(message) {
        messages.push(message);
        if (message.created) created.resolve(message);
      },
      onEnd: ended.resolve,
    },
    { probePrefix: prefix },
  );
  stream.send({ requestUnion: { case: "createRequest", value: prefixRange(prefix) } });
  return { stream, messages, created: created.promise, ended: ended.promise };
}

export async function elapsedMs(operation: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await operation();
  return performance.now() - startMs;
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

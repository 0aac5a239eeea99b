/** Which services have entries, for people who look around: one read of keys, without their values. */
import type { EtcdClient } from "./client/client.js";
import { keyText, nextKey, prefixRange } from "./client/key-range.js";
import { KV } from "./proto/etcd_pb.js";

const PAGE_SIZE = 10_000n;

/**
 * The services under `prefix` with the number of their keys, in the order of their names: what stands between the prefix and
 * the next `/`. Needs permission to read the whole prefix. Rejects with an `EtcdError`.
 */
export async function listServices(
  client: EtcdClient,
  prefix: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReadonlyMap<string, number>> {
  const { key: first, rangeEnd } = prefixRange(prefix);
  const services = new Map<string, number>();
  let key = first;
  let revision = 0n;
  for (;;) {
    const request = { key, rangeEnd, limit: PAGE_SIZE, keysOnly: true, revision };
    const page = await client.unary(KV.method.range, request, options);
    if (revision === 0n) revision = page.header?.revision ?? 0n;
    for (const pair of page.kvs) {
      const rest = keyText(pair.key).slice(prefix.length);
      const slash = rest.indexOf("/");
      const service = rest.slice(0, slash);
      if (slash > 0) services.set(service, (services.get(service) ?? 0) + 1);
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return services;
    key = nextKey(last.key);
  }
}

/**
 * All of a prefix, read page by page as it was at one revision.
 *
 * Why pages: the answer has no bound in etcd, and the connection has one. Why all at the first page's revision: pages of
 * different moments would make a set that never was. Why linearizable: a member that lags would show the past as the present.
 */
import type { EtcdCallOptions, EtcdClient } from "../client/client.js";
import { keyText, nextKey, prefixRange } from "../client/key-range.js";
import { KV } from "../proto/etcd_pb.js";
import { continues, type Entry, type StoreHeader, storeHeader } from "./position.js";

// 100 kB to 1 MB a page with the values that registries hold: large enough to read 10,000 entries in ten rounds.
const PAGE_SIZE = 1_000n;

export interface Listed {
  readonly header: StoreHeader;
  readonly entries: readonly Entry[];
}

/** Rejects when a page fails, also when a compaction or a rebuilt cluster overtook the walk; the caller begins anew. */
export async function listPrefix(client: EtcdClient, prefix: string, options: EtcdCallOptions): Promise<Listed> {
  const { key: first, rangeEnd } = prefixRange(prefix);
  const entries: Entry[] = [];
  let key = first;
  let header: StoreHeader | undefined;
  for (;;) {
    const page = await client.unary(
      KV.method.range,
      { key, rangeEnd, limit: PAGE_SIZE, revision: header?.revision ?? 0n },
      options,
    );
    const answeredBy = storeHeader(page.header);
    header ??= answeredBy;
    // A cluster that was rebuilt in the middle of the walk may well have a revision of that number, of other contents.
    if (!continues(header, answeredBy)) throw new Error("etcd was rebuilt while its keys were read");
    for (const pair of page.kvs) {
      const { value, modRevision, lease } = pair;
      entries.push({ key: keyText(pair.key), value, modRevision, lease });
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { header, entries };
    key = nextKey(last.key);
  }
}

/**
 * The linearizable reads behind a view: a prefix read page by page as it was at one revision, and the short question what
 * the cluster's history is now.
 *
 * Why pages: the answer has no bound in etcd, and the connection has one. Why all at the first page's revision: pages of
 * different moments would make a set that never was. Why linearizable: a member that lags would show the past as the present.
 */
import type { EtcdCallOptions, EtcdClient } from "../client/client.js";
import { EtcdError } from "../client/etcd-error.js";
import { keyBytes, keyText, nextKey, prefixRange } from "../client/key-range.js";
import { KV } from "../proto/etcd_pb.js";
import { continues, type Entry, type Landmark, type StoreHeader, storeHeader } from "./position.js";

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

/**
 * The cluster's header as of now. A read of the one key that is the prefix itself: the caller is sure to have permission, and
 * it costs etcd no walk over the others.
 */
export async function currentHeader(
  client: EtcdClient,
  prefix: string,
  options: EtcdCallOptions,
): Promise<StoreHeader> {
  const { key } = prefixRange(prefix);
  const answer = await client.unary(KV.method.range, { key, keysOnly: true }, options);
  return storeHeader(answer.header);
}

/** What a view holds of its prefix, as far as another history would differ from it. */
export interface Held {
  readonly revision: bigint;
  /** How many keys there were at that revision. */
  readonly keys: number;
  /** Absent if there were none. */
  readonly landmark: Landmark | undefined;
}

/**
 * The cluster's header as of now, and whether its history still has what is `held`. Where that revision was compacted, nobody
 * can tell; a watch from there is refused for it, and what is then listed tells.
 */
export async function historyNow(
  { revision, keys, landmark }: Held,
  client: EtcdClient,
  prefix: string,
  options: EtcdCallOptions,
): Promise<{ readonly header: StoreHeader; readonly same: boolean }> {
  const ranges = [
    { ...prefixRange(prefix), revision, countOnly: true },
    ...(landmark ? [{ key: keyBytes(landmark.key), revision, keysOnly: true }] : []),
  ];
  try {
    const { header, responses } = await client.unary(
      KV.method.txn,
      { success: ranges.map((value) => ({ request: { case: "requestRange" as const, value } })) },
      options,
    );
    const [all, latest] = responses.map(({ response }) =>
      response.case === "responseRange" ? response.value : undefined,
    );
    const found = latest?.kvs[0];
    const stands = found?.modRevision === landmark?.modRevision && found?.lease === landmark?.lease;
    return { header: storeHeader(header), same: all?.count === BigInt(keys) && stands };
  } catch (error) {
    const isOutOfReach = error instanceof EtcdError && (error.kind === "compacted" || error.kind === "future-revision");
    if (!isOutOfReach) throw error;
    return { header: await currentHeader(client, prefix, options), same: true };
  }
}

/**
 * Whether the prefix is at revision `owed` what it was at revision `since`, when it had `keys` keys: whatever was put shows by
 * its revision, whatever was deleted by the count. etcd looks at every key for this, and sends one at most.
 */
export async function unchangedBetween(
  { since, owed, keys }: { readonly since: bigint; readonly owed: bigint; readonly keys: number },
  client: EtcdClient,
  prefix: string,
  options: EtcdCallOptions,
): Promise<boolean> {
  const answer = await client.unary(
    KV.method.range,
    { ...prefixRange(prefix), revision: owed, minModRevision: since + 1n, limit: 1n, keysOnly: true },
    options,
  );
  return answer.kvs.length === 0 && answer.count === BigInt(keys);
}

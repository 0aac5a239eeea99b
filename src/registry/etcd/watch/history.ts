/**
 * The small linearizable reads that hold a view to the cluster's history: where it is now, whether it is still the one that
 * was followed, and whether a silent stream has kept something back.
 *
 * Why not a list each time: with 10,000 keys and 1,000 clients that would be ten million keys for each restart of a member.
 * (docs/decisions/0013-an-open-stream-proves-nothing.md, 0015-the-same-history-before-a-watch-goes-on.md)
 */
import type { EtcdCallOptions, EtcdClient } from "../client/client.js";
import { EtcdError } from "../client/etcd-error.js";
import { keyBytes, prefixRange } from "../client/key-range.js";
import { KV } from "../proto/etcd_pb.js";
import { type Landmark, type StoreHeader, storeHeader } from "./position.js";

/** What a view holds of its prefix, as far as another history would differ from it. */
export interface Held {
  readonly revision: bigint;
  /** How many keys there were at that revision. */
  readonly keys: number;
  /** Absent if there were none. */
  readonly landmark: Landmark | undefined;
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

/**
 * The cluster's header as of now, and whether its history still has what is `held`. A revision that is still to come is proof
 * that it has not, even if it has come by the time of the next read. Where it was compacted, only a list can tell.
 */
export async function historyNow(
  { revision, keys, landmark }: Held,
  client: EtcdClient,
  prefix: string,
  options: EtcdCallOptions,
): Promise<{ readonly header: StoreHeader; readonly same: boolean } | "compacted"> {
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
    const kind = error instanceof EtcdError ? error.kind : undefined;
    if (kind === "compacted") return kind;
    if (kind !== "future-revision") throw error;
    return { header: await currentHeader(client, prefix, options), same: false };
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

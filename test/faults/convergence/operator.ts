/** The operator's hand, which is etcdctl. What it cannot do within a few seconds, because etcd is down, is not done. */

import type { EtcdClient } from "../../../src/registry/etcd/client/client.js";
import { keyBytes } from "../../../src/registry/etcd/client/key-range.js";
import { KV } from "../../../src/registry/etcd/proto/etcd_pb.js";
import type { EtcdCluster } from "../../support/etcd.js";
import type { Auditor } from "../lab/auditor.js";
import { PREFIX } from "./recording.js";
import type { OperatorAction } from "./schedule.js";
import { knownUntil } from "./truth.js";

const PATIENCE_MS = 2_000;
/** No two writes say the same, so that no two lives of a cluster begin alike. */
let writes = 0;
const newAddress = () => `10.0.9.9:${1_000 + (writes++ % 60_000)}`;

const PATIENCE = [`--command-timeout=${PATIENCE_MS}ms`, `--dial-timeout=${PATIENCE_MS}ms`];

export interface OperatorTools {
  readonly cluster: EtcdCluster;
  readonly auditor: Auditor;
  readonly client: EtcdClient;
  /** Hears of a compaction that is about to be asked for. */
  onCompaction(revision: bigint): void;
}

export async function operate(tools: OperatorTools, action: OperatorAction): Promise<void> {
  const { cluster, auditor, client, onCompaction } = tools;
  const etcdctl = (...args: readonly string[]) => cluster.etcdctl(...PATIENCE, ...args);
  switch (action.act) {
    case "delete prefix":
      await etcdctl("del", "--prefix", PREFIX);
      return;
    case "compact": {
      // No further than the auditor has come: what it missed could not be had again.
      const events = auditor.events.filter(({ epoch }) => epoch === auditor.epoch);
      const revision = knownUntil({ sinceMs: 0, events });
      onCompaction(revision);
      await etcdctl("compact", String(revision));
      return;
    }
    case "defragment":
      await etcdctl("defrag");
      return;
    case "put to a neighbour":
      await etcdctl("put", PREFIX.replace(/\/$/, "store/10.0.8.8:50051"), newAddress());
      return;
    case "churn":
      return churn(client, action.changes);
    default:
      await disturb(etcdctl, auditor, action);
  }
}

type OfOneKey = Extract<OperatorAction, { readonly address: string }>;

function disturb(
  etcdctl: (...args: readonly string[]) => Promise<string>,
  auditor: Auditor,
  { act, address }: OfOneKey,
): Promise<string> {
  const key = PREFIX + address;
  const foreign = `${PREFIX}foreign-${address}`;
  switch (act) {
    case "delete key":
      return etcdctl("del", key);
    case "revoke lease": {
      const lease = auditor.at().get(key)?.lease ?? 0n;
      return lease === 0n ? Promise.resolve("") : etcdctl("lease", "revoke", lease.toString(16));
    }
    case "put without lease":
      return etcdctl("put", key, JSON.stringify({ Op: 0, Addr: address, Metadata: { operator: `${writes++}` } }));
    case "put garbage without lease":
      return etcdctl("put", key, `garbage ${writes++}`);
    case "put garbage under lease":
      return etcdctl("put", "--ignore-lease", key, `garbage ${writes++}`);
    case "put foreign key":
      return etcdctl("put", foreign, newAddress());
    case "delete foreign key":
      return etcdctl("del", foreign);
  }
}

/** Puts each of a few keys twice, and then deletes it. */
export async function churn(client: EtcdClient, changes: number): Promise<void> {
  for (let change = 0; change < changes; change += 1) {
    const key = keyBytes(`${PREFIX}churn-${Math.floor(change / 3) % 5}`);
    if (change % 3 === 2) await client.unary(KV.method.deleteRange, { key }, { timeoutMs: PATIENCE_MS });
    else {
      const value = new TextEncoder().encode(newAddress());
      await client.unary(KV.method.put, { key, value }, { timeoutMs: PATIENCE_MS });
    }
  }
}

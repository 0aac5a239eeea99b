/**
 * What a server that calls itself etcd has to answer: scenarios run against two servers, whose transcripts must be equal.
 * The expected answers are in no list here, because a real etcd gives them.
 */
import { kv } from "./etcd-contract/kv.js";
import { leases } from "./etcd-contract/leases.js";
import { others } from "./etcd-contract/others.js";
import type { Scenario } from "./etcd-contract/scenario.js";
import { transactions } from "./etcd-contract/transactions.js";
import { watches } from "./etcd-contract/watches.js";

export const scenarios: Readonly<Record<string, readonly Scenario[]>> = { kv, transactions, leases, watches, others };

/** A cluster, the processes around it, and what goes wrong between them. */
import type { DescMessage, DescMethodUnary, MessageInitShape } from "@bufbuild/protobuf";
import { seededRandom } from "../../src/random.js";
import { EtcdError } from "../../src/registry/etcd/client/etcd-error.js";
import { KV, Lease } from "../../src/registry/etcd/proto/etcd_pb.js";
import { virtualClock } from "../../src/testing/virtual-clock.js";
import { ModelClient } from "./etcd/client.js";
import { ProcessClock } from "./etcd/clocks.js";
import { ModelCluster } from "./etcd/cluster.js";
import type { Fault } from "./faults.js";

export const PREFIX = "/services/book/";
const FOR_EVER_S = 1_000_000n;
const OPERATOR = { name: "operator", note: "" };

export class World {
  readonly clock = virtualClock(1_700_000_000_000);
  readonly random = seededRandom(34);
  readonly cluster = new ModelCluster(this.clock, this.random);
  readonly processes: ModelClient[] = [];

  process(name: string): ModelClient {
    const client = new ModelClient(name, this.cluster, new ProcessClock(this.clock));
    this.processes.push(client);
    return client;
  }

  async perform(fault: Fault): Promise<void> {
    const { cluster } = this;
    switch (fault.do) {
      case "pass":
        await this.clock.advance(fault.ms);
        break;
      case "fate":
        this.#process(fault).fates.push(fault.fate);
        break;
      case "partition":
        this.#process(fault).partition();
        break;
      case "heal":
        this.#process(fault).heal();
        break;
      case "cut streams":
        this.#process(fault).cutStreams();
        break;
      case "cut after messages":
        this.#process(fault).cutAfterMessages = fault.messages;
        break;
      case "slow streams":
        this.#process(fault).streamDelayMs = fault.ms;
        break;
      case "slow calls":
        this.#process(fault).callDelayMs = fault.ms;
        break;
      case "stop process":
        this.#process(fault).clock.sleep();
        break;
      case "continue process":
        await this.#process(fault).clock.wake();
        break;
      case "hang member":
        this.#member(fault).hang();
        cluster.settle();
        break;
      case "stop member":
        this.#member(fault).stop();
        cluster.settle();
        break;
      case "lag member":
        this.#member(fault).lag();
        break;
      case "restore member":
        this.#member(fault).restore();
        cluster.settle();
        break;
      case "restore all members":
        for (const member of cluster.members) member.restore();
        cluster.settle();
        break;
      case "elect":
        if (cluster.hasLeader) cluster.elect();
        break;
      case "refuse watches":
        for (let time = 0; time < fault.times; time += 1) cluster.watchRefusals.push(fault.reason);
        break;
      case "cancel watches":
        for (const { streams } of this.processes) {
          for (const stream of [...streams]) stream.server?.cancelWatch?.(fault.reason);
        }
        break;
      case "compact":
        if (cluster.hasLeader) cluster.compact(cluster.revision - BigInt(fault.keep));
        break;
      case "lie on renewals":
        cluster.lieOnRenewals(fault.times);
        break;
      case "rebuild":
        cluster.rebuild(fault.how, cluster.revision - BigInt(fault.lost));
    }
    await this.clock.advance(0);
  }

  /** Ends everything that is wrong. */
  async healAll(): Promise<void> {
    const { cluster } = this;
    cluster.watchRefusals.length = 0;
    cluster.lieOnRenewals(0);
    await this.perform({ do: "restore all members" });
    for (const process of this.processes) {
      process.fates.length = 0;
      process.streamDelayMs = 1;
      process.callDelayMs = 1;
      process.cutAfterMessages = undefined;
      process.heal();
      await process.clock.wake();
    }
  }

  /** As `etcdctl put`, while there is somebody to take it. */
  put(key: string, value: string, lease = 0n): void {
    this.#asOperator(KV.method.put, { key: bytes(key), value: bytes(value), lease });
  }

  /** As a registrar that lives for ever. */
  putLeased(key: string, value: string): void {
    const lease = this.cluster.newLeaseId();
    this.grant(lease, FOR_EVER_S);
    this.put(key, value, lease);
  }

  /** Keeps the key's lease. */
  overwrite(key: string, value: string): void {
    this.#asOperator(KV.method.put, { key: bytes(key), value: bytes(value), ignoreLease: true });
  }

  /** All in one revision. */
  delete(...keys: readonly string[]): void {
    const operation = (key: string) =>
      ({ request: { case: "requestDeleteRange", value: { key: bytes(key) } } }) as const;
    this.#asOperator(KV.method.txn, { success: keys.map(operation) });
  }

  grant(id: bigint, ttl: bigint): void {
    this.#asOperator(Lease.method.leaseGrant, { ID: id, TTL: ttl });
  }

  revoke(id: bigint): void {
    this.#asOperator(Lease.method.leaseRevoke, { ID: id });
  }

  /** An operator's command that fails has changed nothing, and is not repeated. */
  #asOperator<I extends DescMessage>(method: DescMethodUnary<I, DescMessage>, request: MessageInitShape<I>): void {
    if (!this.cluster.hasLeader) return;
    try {
      this.cluster.answer(method, request, OPERATOR);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
    }
  }

  #process({ process }: { readonly process: number }): ModelClient {
    return this.processes[process % this.processes.length] as ModelClient; // a world has one at least
  }

  #member({ member }: { readonly member: number }) {
    return this.cluster.members[member % this.cluster.members.length]!;
  }
}

export const bytes = (text: string) => new TextEncoder().encode(text);
export const text = (value: Uint8Array) => new TextDecoder().decode(value);

/**
 * The fault laboratory: a real etcd cluster, networks that can fail, and participants in processes of their own. Everything
 * that is started through it ends with `stop()`, which is also what `await using` does when a test fails.
 *
 * The operator's hand is `cluster.etcdctl(…)`; a member is paused, killed, wiped and started again through `cluster.members`.
 */
import type { EtcdClientOptions } from "../../../src/registry/etcd/client/client.js";
import { type EtcdCluster, type EtcdOptions, startCluster } from "../../support/etcd.js";
import { startTalkProcess, type TalkProcess, type TalkProcessOptions } from "../../support/talk-process.js";
import { type Auditor, startAuditor } from "./auditor.js";
import { type Load, type LoadOptions, startLoad } from "./load.js";
import { type Network, startNetwork } from "./network.js";
import { type Participant, type ParticipantOptions, startParticipant } from "./participant.js";

export { type AuditEvent, type Auditor, describeEvent } from "./auditor.js";
export { type Load, lostNothing } from "./load.js";
export type { Network } from "./network.js";
export type { Participant, StatusReport, ViewReport } from "./participant.js";
export { nowMs } from "./participant-protocol.js";

/** What the bounds in the tests are counted from. */
export const TTL_MS = 5_000;

export interface Laboratory extends AsyncDisposable {
  readonly cluster: EtcdCluster;
  /** A proxy of one's own before each member. */
  network(): Promise<Network>;
  /** A process whose registry has the members' own endpoints and a TTL of 5 s unless `options` say otherwise. */
  participant(options?: Partial<ParticipantOptions>): Promise<Participant>;
  /** All that happens under `prefix` (default `/services/`), from the beginning, seen past every fault of a network. */
  auditor(prefix?: string, options?: Omit<EtcdClientOptions, "endpoints">): Auditor;
  /** A gRPC server as a process, registered as "talk" with a TTL of 5 s unless `options` say otherwise. */
  server(options?: TalkProcessOptions): Promise<TalkProcess>;
  /** Steady calls to "talk" from this process. */
  load(options?: Partial<LoadOptions>): Promise<Load>;
  /** Has `thing` ended with the laboratory. */
  owns<T extends AsyncDisposable>(thing: T): T;
  stop(): Promise<void>;
}

export interface LaboratoryOptions extends EtcdOptions {
  /** How many members; default 3. */
  readonly size?: number;
}

export async function startLaboratory({ size = 3, ...options }: LaboratoryOptions = {}): Promise<Laboratory> {
  const cluster = await startCluster(size, options);
  const owned: AsyncDisposable[] = [];
  const owns = <T extends AsyncDisposable>(thing: T) => {
    owned.push(thing);
    return thing;
  };
  const stop = async () => {
    await Promise.all(owned.splice(0).map((thing) => thing[Symbol.asyncDispose]()));
    await cluster.stop();
  };
  return {
    cluster,
    network: async () => owns(await startNetwork(cluster.endpoints)),
    participant: async (given = {}) =>
      owns(await startParticipant({ endpoints: cluster.endpoints, ttlMs: TTL_MS, ...given })),
    auditor: (prefix, options) => owns(startAuditor(cluster.endpoints, prefix, options)),
    server: async (given = {}) =>
      owns(await startTalkProcess({ etcd: { endpoints: cluster.endpoints, ttlMs: TTL_MS }, ...given })),
    load: async (given = {}) => owns(await startLoad({ endpoints: cluster.endpoints, ...given })),
    owns,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

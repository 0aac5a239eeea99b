/** Starts and stops the embedded registry: the etcd v3 API over gRPC, its state in this process's memory. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type Clock, systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import { listenOn } from "../grpc-listen.js";
import { formatHostPort, isWildcard, parseHostPort } from "../host-port.js";
import { serviceDefinition } from "../method-definitions.js";
import { type Random, systemRandom } from "../random.js";
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from "../registry/etcd/proto/etcd_pb.js";
import { autoCompact } from "./auto-compaction.js";
import { EtcdError } from "./errors.js";
import { Leases } from "./leases.js";
import { newMember } from "./member.js";
import { MAX_REQUEST_BYTES } from "./operations.js";
import type { RegistryState } from "./registry-state.js";
import { RevisionStore } from "./revision-store.js";
import { authService } from "./services/auth.js";
import { clusterService } from "./services/cluster.js";
import { kvService } from "./services/kv.js";
import { leaseService } from "./services/lease.js";
import { maintenanceService } from "./services/maintenance.js";
import { watchService } from "./services/watch.js";

export interface EmbeddedOptions {
  /** Where to listen, `host:port`; port 0 takes a free one. Default: `127.0.0.1:0`. */
  readonly listen?: string;
  /** How often a quiet watch that asked for it is told the revision, in milliseconds. Default: 600,000, as etcd's. */
  readonly progressNotifyMs?: number;
  /**
   * How many of the last revisions can be read and watched again at least; what is older is forgotten by and by, as with
   * etcd's `--auto-compaction-mode=revision`. Default: 10,000.
   */
  readonly keptRevisions?: number;
  /** Time for leases and progress notifications. Default: the system's. */
  readonly clock?: Clock;
  /** Chooses the ids of cluster, member and leases. Default: the system's. */
  readonly random?: Random;
}

/** A registry in this process. Its content ends with it. */
export interface EmbeddedRegistry extends AsyncDisposable {
  /** The address for clients, `host:port`. */
  readonly endpoint: string;
  /** Ends every stream, closes every connection and frees the port. */
  close(): Promise<void>;
}

const DEFAULTS = {
  listen: "127.0.0.1:0",
  progressNotifyMs: 600_000,
  keptRevisions: 10_000,
  clock: systemClock,
  random: systemRandom,
};

// What etcd adds to its own limit, so that a request just over it is refused in etcd's words.
const GRPC_OVERHEAD_BYTES = 512 * 1024;

// Ample for a status to reach a client of the same machine.
const CLOSE_GRACE_MS = 250;

/**
 * Starts a registry that etcdctl, go-kit and every other etcd client can use: one member, no disk, no authentication, no
 * transactions inside transactions. Rejects with ADDRESS_IN_USE when the port is taken, INVALID_ARGUMENT when the
 * address cannot be listened on.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedRegistry> {
  const { progressNotifyMs, keptRevisions, clock, random, ...given } = { ...DEFAULTS, ...options };
  const listen = parseHostPort(given.listen, "listen");
  if (!(progressNotifyMs > 0)) {
    throw new RollcallError("INVALID_ARGUMENT", `progressNotifyMs must be more than 0; it is ${progressNotifyMs}`);
  }
  if (!(Number.isSafeInteger(keptRevisions) && keptRevisions >= 1)) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `keptRevisions must be a whole number from 1 on; it is ${keptRevisions}`,
    );
  }
  const store = new RevisionStore();
  autoCompact(store, keptRevisions);
  const state: RegistryState = {
    store,
    leases: new Leases(store, clock, random),
    member: newMember(random),
    clock,
    random,
    openStreams: new Set(),
  };

  let endpoint = "";
  const server = new Server({
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES + GRPC_OVERHEAD_BYTES,
    "grpc.max_send_message_length": -1,
  });
  server.addService(serviceDefinition(KV), kvService(state));
  server.addService(serviceDefinition(Watch), watchService(state, progressNotifyMs));
  server.addService(serviceDefinition(Lease), leaseService(state));
  server.addService(serviceDefinition(Maintenance), maintenanceService(state));
  server.addService(serviceDefinition(Auth), authService());
  server.addService(
    serviceDefinition(Cluster),
    clusterService(state, (calledAs) => (isWildcard(listen.host) ? calledAs : endpoint)),
  );
  endpoint = formatHostPort({ ...listen, port: await listenOn(server, listen, ServerCredentials.createInsecure()) });

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= stop(server, state);
    return closing;
  };
  return { endpoint, close, [Symbol.asyncDispose]: close };
}

/** Streams hear that the server has stopped, so that their clients go elsewhere at once; whoever does not listen is cut off. */
async function stop(server: Server, { leases, openStreams, clock }: RegistryState): Promise<void> {
  leases.close();
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  for (const fail of [...openStreams]) fail(new EtcdError("serverStopped"));
  const cut = clock.after(CLOSE_GRACE_MS, () => server.forceShutdown());
  await closed;
  cut.cancel();
}

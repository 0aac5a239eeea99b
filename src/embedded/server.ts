/** Starts and stops the embedded registry: the etcd v3 API over gRPC, its state in this process's memory. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type Clock, systemClock } from "../clock.js";
import { RollcallError } from "../errors.js";
import { serviceDefinition } from "../method-definitions.js";
import { type Random, systemRandom } from "../random.js";
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from "../registry/etcd/proto/etcd_pb.js";
import { EtcdError } from "./errors.js";
import { Leases } from "./leases.js";
import { assertFree, isWildcard, withPort } from "./listen-address.js";
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

const defaults = { listen: "127.0.0.1:0", progressNotifyMs: 600_000, clock: systemClock, random: systemRandom };

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
  const { listen, progressNotifyMs, clock, random } = { ...defaults, ...options };
  if (!(progressNotifyMs > 0)) {
    throw new RollcallError("INVALID_ARGUMENT", `progressNotifyMs must be more than 0; it is ${progressNotifyMs}`);
  }
  await assertFree(listen);
  const store = new RevisionStore();
  const state: RegistryState = {
    store,
    leases: new Leases(store, clock, random),
    member: newMember(random),
    clock,
    random,
    openStreams: new Set(),
  };

  let endpoint = listen;
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
    clusterService(state, (calledAs) => (isWildcard(listen) ? calledAs : endpoint)),
  );
  endpoint = withPort(listen, await bind(server, listen));

  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= stop(server, state);
    return closing;
  };
  return { endpoint, close, [Symbol.asyncDispose]: close };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
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

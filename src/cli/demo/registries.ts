/** The registry that the demo plays with: an embedded one, three members of etcd, or the user's cluster. */
import { startEmbedded } from "../../embedded/index.js";
import { type EtcdClientOptions, etcd } from "../../registry/etcd/index.js";
import { UsageError } from "../usage-error.js";
import { type EtcdCluster, startCluster } from "./cluster.js";
import type { Crew } from "./processes.js";
import type { FourPlaces } from "./server-places.js";
import { registeredBooks } from "./strangers.js";

export type DemoTarget =
  | { readonly kind: "embedded" }
  | { readonly kind: "cluster" }
  | { readonly kind: "etcd"; readonly connection: Pick<EtcdClientOptions, "endpoints"> };

export interface DemoRegistry extends AsyncDisposable {
  readonly endpoints: readonly string[];
  /** Where the servers run if nobody else does. */
  readonly places: FourPlaces;
  /** The members, where they are the demo's to kill. */
  readonly cluster?: EtcdCluster;
}

/** The tutorial's port. */
const SERVER_PORT = 50_051;

export async function openRegistry(target: DemoTarget, crew: Crew): Promise<DemoRegistry> {
  switch (target.kind) {
    case "embedded":
      return embedded();
    case "cluster":
      return cluster(crew);
    case "etcd":
      return usersCluster(target.connection.endpoints, crew.signal);
  }
}

/** In the demo's own process: it is the one part to which nothing happens, and another process would show nothing more. */
async function embedded(): Promise<DemoRegistry> {
  const registry = await startEmbedded();
  return {
    endpoints: [registry.endpoint],
    places: onOneHost("127.0.0.1"),
    [Symbol.asyncDispose]: () => registry.close(),
  };
}

async function cluster(crew: Crew): Promise<DemoRegistry> {
  const members = await startCluster(crew);
  const port = SERVER_PORT;
  return {
    endpoints: members.endpoints,
    places: [
      { host: "127.0.0.1", port },
      { host: "127.0.0.2", port },
      { host: "127.0.0.3", port },
      { host: "127.0.0.1", port: port + 1 },
    ],
    cluster: members,
    [Symbol.asyncDispose]: () => members[Symbol.asyncDispose](),
  };
}

/**
 * The servers listen where this host reaches the cluster. Their service is `book`, and the client calls whoever is registered
 * under it: so nobody may be there before, and nobody is left there after.
 */
async function usersCluster(endpoints: readonly string[], signal: AbortSignal): Promise<DemoRegistry> {
  const present = await registeredBooks(endpoints, signal);
  if (present.length > 0) {
    throw new UsageError(
      `this cluster has instances of "book" (${present.join(", ")}), which the demo would call: use another cluster; ` +
        "what an interrupted demo left there is gone within 10 s",
    );
  }
  await using registry = etcd({ endpoints, logger: false });
  const host = (await registry.localAddress?.({ signal })) ?? "127.0.0.1";
  return {
    endpoints,
    places: onOneHost(host),
    [Symbol.asyncDispose]: async () => {},
  };
}

function onOneHost(host: string): FourPlaces {
  const port = SERVER_PORT;
  return [
    { host, port },
    { host, port: port + 1 },
    { host, port: port + 2 },
    { host, port: port + 3 },
  ];
}

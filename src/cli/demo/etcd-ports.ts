/** Ports for the members of etcd: those that people know where they are free, others where they are not. */
import { once } from "node:events";
import { createServer } from "node:net";
import { UsageError } from "../usage-error.js";

/** Those of etcd, as the tutorial has them. */
const ETCD_PORTS = { client: 2379, peer: 2380, usual: true };

export interface EtcdPorts {
  readonly client: number;
  readonly peer: number;
  /** False when the usual ones were taken. */
  readonly usual: boolean;
}

/** One pair for all of `hosts`: 2379 and 2380 when they are free on each. */
export async function etcdPorts(hosts: readonly string[]): Promise<EtcdPorts> {
  if ((await allFree(hosts, ETCD_PORTS.client)) && (await allFree(hosts, ETCD_PORTS.peer))) return ETCD_PORTS;
  const client = await freeOnAll(hosts);
  let peer = await freeOnAll(hosts);
  while (peer === client) peer = await freeOnAll(hosts);
  return { client, peer, usual: false };
}

async function freeOnAll(hosts: readonly string[]): Promise<number> {
  for (;;) {
    const port = await anyPort(hosts[0] ?? "127.0.0.1");
    if (await allFree(hosts, port)) return port;
  }
}

async function allFree(hosts: readonly string[], port: number): Promise<boolean> {
  return (await Promise.all(hosts.map((host) => isFree(host, port)))).every(Boolean);
}

async function isFree(host: string, port: number): Promise<boolean> {
  try {
    await tryToListen(host, port);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return false; // what a failed listen() throws
    throw unusable(host, error);
  }
}

async function anyPort(host: string): Promise<number> {
  return tryToListen(host, 0);
}

async function tryToListen(host: string, port: number): Promise<number> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  await once(server, "listening");
  const bound = server.address();
  await once(server.close(), "close");
  return typeof bound === "object" && bound !== null ? bound.port : port;
}

function unusable(host: string, error: unknown): UsageError {
  const remedy = host.startsWith("127.") ? `; on macOS: sudo ifconfig lo0 alias ${host}` : "";
  return new UsageError(`cannot listen on ${host} (${error instanceof Error ? error.message : error})${remedy}`, {
    cause: error,
  });
}

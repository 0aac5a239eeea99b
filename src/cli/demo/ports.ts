/** Which ports are free here, and how two demos agree on who takes the ones that people know. */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { UsageError } from "../usage-error.js";

const LOOPBACK = "127.0.0.1";

/** Held from the start of the hold to its end, or by somebody else. */
export interface PortHold extends AsyncDisposable {
  readonly held: boolean;
}

/**
 * Two demos that start at once find the same ports free, and bind them only later. So each listens first on a port that
 * nobody needs, and who gets it may take the others.
 */
export async function holdPort(port: number): Promise<PortHold> {
  const server = await listening(LOOPBACK, port);
  server?.on("connection", (socket) => socket.destroy());
  return {
    held: server !== undefined,
    [Symbol.asyncDispose]: async () => {
      if (server) await closed(server);
    },
  };
}

/** Throws a `UsageError` where this machine has no such host. */
export async function isFree(host: string, port: number): Promise<boolean> {
  const server = await listening(host, port);
  if (server) await closed(server);
  return server !== undefined;
}

/** One that is free on each of `hosts`, and is not `otherThan`. */
export async function freePort(hosts: readonly string[], otherThan?: number): Promise<number> {
  for (;;) {
    const port = await anyPort(hosts[0] ?? LOOPBACK);
    if (port !== otherThan && (await isFreeOnAll(hosts, port))) return port;
  }
}

export async function isFreeOnAll(hosts: readonly string[], port: number): Promise<boolean> {
  return (await Promise.all(hosts.map((host) => isFree(host, port)))).every(Boolean);
}

async function anyPort(host: string): Promise<number> {
  const server = await listening(host, 0);
  const bound = server?.address();
  if (!server || typeof bound !== "object" || !bound) throw new UsageError(`${host} has no free port`);
  await closed(server);
  return bound.port;
}

/** Undefined when somebody else listens there. */
async function listening(host: string, port: number): Promise<Server | undefined> {
  const server = createServer();
  server.listen({ host, port, exclusive: true });
  try {
    await once(server, "listening");
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined; // what a failed listen() throws
    throw unusable(host, error);
  }
}

async function closed(server: Server): Promise<void> {
  await once(server.close(), "close");
}

function unusable(host: string, error: unknown): UsageError {
  const remedy = host.startsWith("127.") ? `; on macOS: sudo ifconfig lo0 alias ${host}` : "";
  return new UsageError(`cannot listen on ${host} (${error instanceof Error ? error.message : error})${remedy}`, {
    cause: error,
  });
}

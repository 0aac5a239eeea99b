/**
 * Binds a gRPC server, and says why where that cannot be done.
 *
 * The system is asked beforehand, because grpc-js answers every failure with one and the same text, and writes to stderr.
 */
import { createServer } from "node:net";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { RollcallError } from "./errors.js";
import { formatHostPort, type HostPort } from "./host-port.js";

/** Resolves to the port; rejects with `ADDRESS_IN_USE`, or `INVALID_ARGUMENT` when nobody could listen there. */
export async function listenOn(server: Server, address: HostPort, credentials: ServerCredentials): Promise<number> {
  await probe(address);
  try {
    return await bind(server, address, credentials);
  } catch (error) {
    await probe(address); // somebody was faster
    throw listenError(address, error as Error); // bindAsync() fails with nothing else
  }
}

async function probe(address: HostPort): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ ...address, exclusive: true }, resolve);
    });
  } catch (error) {
    throw listenError(address, error as NodeJS.ErrnoException); // listen() fails with nothing else
  }
  await new Promise((resolve) => server.close(resolve));
}

function bind(server: Server, address: HostPort, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatHostPort(address), credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

const remedies: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; stop what uses it, or choose another port (0 takes a free one)",
  EACCES: "this user may not use the port; choose one from 1024 on (0 takes a free one)",
  EADDRNOTAVAIL: "this machine has no such address; listen on one that it has, or on 0.0.0.0 for all of them",
  ENOTFOUND: "the host's name is not known; listen on an IP address of this machine, or on 0.0.0.0 for all of them",
};

/** What `error`, which listening on `address` met with, means for whoever chose the address. */
export function listenError(address: HostPort, error: NodeJS.ErrnoException): RollcallError {
  return new RollcallError(
    error.code === "EADDRINUSE" ? "ADDRESS_IN_USE" : "INVALID_ARGUMENT",
    `cannot listen on ${formatHostPort(address)}: ${remedies[error.code ?? ""] ?? error.message}`,
    { cause: error },
  );
}

import { createServer } from "node:net";
import { RollcallError } from "../errors.js";

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Throws what is wrong with listening on `address`. Asked of the system beforehand, because grpc-js answers a failed bind
 * with a text of its own, and writes to stderr.
 */
export async function assertFree(address: string): Promise<void> {
  const { host, port } = parse(address);
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once("error", reject);
      probe.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    throw explain(address, error as NodeJS.ErrnoException); // listen() fails with nothing else
  }
  await new Promise((resolve) => probe.close(resolve));
}

export function withPort(address: string, port: number): string {
  const { host } = parse(address);
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Whether `address` means every address of the machine, so that it tells nobody where to connect. */
export function isWildcard(address: string): boolean {
  return ["0.0.0.0", "::"].includes(parse(address).host);
}

function parse(address: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw new RollcallError("INVALID_ARGUMENT", `cannot listen on "${address}": give host:port, e.g. 127.0.0.1:2379`);
  }
  return { host, port };
}

function explain(address: string, error: NodeJS.ErrnoException): RollcallError {
  return error.code === "EADDRINUSE"
    ? new RollcallError(
        "ADDRESS_IN_USE",
        `cannot listen on ${address}: the port is in use; stop what uses it, or choose another port (0 takes a free one)`,
        { cause: error },
      )
    : new RollcallError("INVALID_ARGUMENT", `cannot listen on ${address}: ${error.message}`, { cause: error });
}

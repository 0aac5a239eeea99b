/** `host:port`, as servers are told where to listen and others where to find them. */
import { isIP, isIPv6 } from "node:net";
import { RollcallError } from "./errors.js";

export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`; an IPv6 host stands in brackets. `what` names it in the error. */
export function parseHostPort(text: string, what: string): HostPort {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && !isIPv6(host))) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `${what} is "${text}" and must be host:port, with an IPv6 host in brackets: 10.0.0.1:50051, [fd00::1]:50051`,
    );
  }
  return { host, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether `host`, without brackets, means every address of the machine, so that it tells nobody where to connect. */
export function isWildcard(host: string): boolean {
  // However many zeros it is written with; `::ffff:0.0.0.0` is the IPv4 one.
  const plain = isIPv6(host) ? host.replace(/^(0*:)*:?ffff:(0\.0\.0\.0|0:0)$/i, "::") : host;
  return isIP(plain) !== 0 && /^[0:.]+$/.test(plain);
}

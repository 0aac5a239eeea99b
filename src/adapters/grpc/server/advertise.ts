/**
 * The address under which others reach this server.
 *
 * Why so strict: an address that only works on this machine is accepted by every registry and refused by every client, and
 * nothing says why.
 */
import { formatHostPort, type HostPort, isWildcard, parseHostPort } from "../../../host-port.js";
import { type RegisterOptions, type Registry, RollcallError } from "../../../index.js";

/**
 * The address to register for a server bound to `bound`. With `auto` it is the host that the server listens on, or, where
 * it listens on all, the local end of the connection to the registry: what reaches the registry reaches the server's peers.
 */
export async function advertisedAddress(
  advertise: string,
  bound: HostPort,
  registry: Pick<Registry, "localAddress">,
  options?: RegisterOptions,
): Promise<string> {
  const { host, port } = advertise === "auto" ? await reachable(bound, registry, options) : explicit(advertise);
  if (isLoopback(host) && registry.localAddress && !isLoopback(await registry.localAddress(options))) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `${formatHostPort({ host, port })} works on this machine only, and the registry is on another: ` +
        `listen on 0.0.0.0:${bound.port}, or set advertise to an address that others reach, such as 10.0.0.1:${port}`,
    );
  }
  return formatHostPort({ host, port });
}

async function reachable(
  bound: HostPort,
  registry: Pick<Registry, "localAddress">,
  options: RegisterOptions | undefined,
): Promise<HostPort> {
  if (!isWildcard(bound.host)) return bound;
  if (registry.localAddress === undefined) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `this registry cannot tell how others reach a server on ${formatHostPort(bound)}: set advertise to host:port`,
    );
  }
  return { host: unmapped(await registry.localAddress(options)), port: bound.port };
}

function explicit(advertise: string): HostPort {
  const address = parseHostPort(advertise, "advertise");
  if (isWildcard(address.host) || address.port === 0) {
    throw new RollcallError(
      "INVALID_ARGUMENT",
      `advertise is "${advertise}", which nobody can connect to: set it to an address that others reach, such as ` +
        `10.0.0.1:${address.port || 50051}, or leave it to "auto"`,
    );
  }
  return address;
}

function isLoopback(host: string): boolean {
  const plain = unmapped(host);
  return plain === "localhost" || plain === "::1" || /^127\.\d+\.\d+\.\d+$/.test(plain);
}

/** An IPv4 address that came over an IPv6 socket. */
function unmapped(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.)/i, "");
}

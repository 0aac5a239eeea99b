/** A network of one's own to every member: what fails in it fails for those that were given its endpoints, and for nobody else. */
import { type ProxyMode, startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.js";

export interface Network extends AsyncDisposable {
  /** One per member, in the members' order. */
  readonly proxies: readonly TcpProxy[];
  readonly endpoints: readonly string[];
  /** Sets every proxy. */
  set(mode: ProxyMode): Promise<void>;
  /** Resets every connection. */
  cut(): void;
  /** Leaves every connection open and silent for ever. */
  strand(): void;
  stop(): Promise<void>;
}

export async function startNetwork(targets: readonly string[]): Promise<Network> {
  const proxies = await Promise.all(targets.map(startTcpProxy));
  const stop = async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  };
  return {
    proxies,
    endpoints: proxies.map((proxy) => proxy.endpoint),
    set: async (mode) => {
      await Promise.all(proxies.map((proxy) => proxy.set(mode)));
    },
    cut: () => {
      for (const proxy of proxies) proxy.cut();
    },
    strand: () => {
      for (const proxy of proxies) proxy.strand();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

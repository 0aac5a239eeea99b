/** Ports for the members of etcd: those that people know where they are free, others where they are not. */
import { freePort, holdPort, isFreeOnAll } from "./ports.js";

/** Those of etcd, as the tutorial has them. */
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;
/** Whoever listens here may take the two. */
const GUARD_PORT = 2378;

export interface EtcdPorts extends AsyncDisposable {
  readonly client: number;
  readonly peer: number;
  /** False when the usual ones were taken. */
  readonly usual: boolean;
}

/**
 * One pair for all of `hosts`: 2379 and 2380 when they are free on each. No other demo takes those until this is disposed of,
 * which is when the members listen.
 */
export async function etcdPorts(hosts: readonly string[]): Promise<EtcdPorts> {
  const guard = await holdPort(GUARD_PORT);
  const release = () => guard[Symbol.asyncDispose]();
  try {
    if (guard.held && (await isFreeOnAll(hosts, CLIENT_PORT)) && (await isFreeOnAll(hosts, PEER_PORT))) {
      return { client: CLIENT_PORT, peer: PEER_PORT, usual: true, [Symbol.asyncDispose]: release };
    }
    const client = await freePort(hosts);
    const peer = await freePort(hosts, client);
    return { client, peer, usual: false, [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Whether somebody listens, found out as a client would: by connecting. */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const PAUSE_MS = 100;
const ONE_TRY_MS = 1_000;

/** Resolves as soon as a TCP connection to `address` (`host:port`) can be made; rejects when `signal` aborts. */
export async function acceptsConnections(address: string, signal: AbortSignal): Promise<void> {
  while (!(await canConnect(address, signal))) await delay(PAUSE_MS, undefined, { signal });
  signal.throwIfAborted();
}

function canConnect(address: string, signal: AbortSignal): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(colon + 1)), signal });
    const settle = (connected: boolean) => {
      socket.destroy();
      resolve(connected);
    };
    socket.setTimeout(ONE_TRY_MS, () => settle(false));
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

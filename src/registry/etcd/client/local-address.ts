/** The address under which this host reaches etcd, and so most likely the one under which others reach this host. */
import { connect } from "node:net";
import type { Clock } from "../../../clock.js";
import { hostOf } from "./endpoint-list.js";

/** Connects to `target` (`host:port`) and gives the connection's local address, without sending anything. */
export function localAddressTo(target: string, timeoutMs: number, clock: Clock, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostOf(target), port: Number(target.slice(target.lastIndexOf(":") + 1)) });
    const finish = (settle: () => void) => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const timer = clock.after(timeoutMs, () => finish(() => reject(new Error(`no connection within ${timeoutMs} ms`))));
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", (error) => finish(() => reject(error)));
    socket.once("connect", () => {
      const address = socket.localAddress ?? "";
      finish(() => resolve(address.replace(/^::ffff:(?=\d+\.)/, "")));
    });
  });
}

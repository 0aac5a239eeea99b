/** A TCP proxy whose network can fail: what a client sees of a member behind a bad switch, without touching the member. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "./etcd.js";

/**
 * - `pass`: bytes go through.
 * - `black-hole`: connections are accepted and stay open, and nothing comes through either way until the mode ends.
 * - `refuse`: connections are cut and new ones refused.
 * - `drop-responses`: requests reach the member, its answers are lost, those under way too; what was connected is cut when the mode ends.
 * - `{ delayMs }`: bytes arrive in order, that much later, each way.
 * - `{ bytesPerSecond }`: answers come no faster.
 */
export type ProxyMode =
  | "pass"
  | "black-hole"
  | "refuse"
  | "drop-responses"
  | { readonly delayMs: number }
  | { readonly bytesPerSecond: number };

export interface TcpProxy extends AsyncDisposable {
  /** `127.0.0.1:port`; the same for the proxy's whole life. */
  readonly endpoint: string;
  /** How many connections were accepted so far. */
  readonly accepted: number;
  /** How many of them are open. */
  readonly open: number;
  /** Resolves when the mode holds. */
  set(mode: ProxyMode): Promise<void>;
  /** Resets every connection; new ones are accepted as the mode says. */
  cut(): void;
  /** Leaves every connection open and silent for ever, as a NAT does that forgot them; new ones are accepted as the mode says. */
  strand(): void;
  stop(): Promise<void>;
}

type Way = "request" | "response";

/** Starts to pass connections on to `target` (`host:port`). */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const stranded = new WeakSet<Socket>();
  let mode: ProxyMode = "pass";
  let accepted = 0;
  let open = 0;

  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  };
  const isLost = (way: Way) => mode === "drop-responses" && way === "response";
  const apply = (socket: Socket) => (mode === "black-hole" || stranded.has(socket) ? socket.pause() : socket.resume());
  const pass = (from: Socket, to: Socket, way: Way) => {
    let waiting = 0;
    let last = Promise.resolve();
    // In order, also when the mode changes while something waits for its time.
    const later = (bytes: Buffer, delayMs: number) => {
      const due = sleep(delayMs);
      waiting += 1;
      last = last
        .then(() => due)
        .then(() => {
          waiting -= 1;
          if (!isLost(way)) to.write(bytes);
          apply(from);
        });
    };
    from.on("data", (bytes: Buffer) => {
      if (isLost(way)) return;
      if (typeof mode === "object" && "delayMs" in mode) later(bytes, mode.delayMs);
      else if (typeof mode === "object" && way === "response") {
        later(bytes, (1_000 * bytes.length) / mode.bytesPerSecond);
        from.pause();
      } else if (waiting > 0) later(bytes, 0);
      else to.write(bytes);
    });
    from.on("close", () => to.destroy());
    apply(from);
  };
  const server = createServer((client) => {
    accepted += 1;
    open += 1;
    client.on("close", () => {
      open -= 1;
    });
    const upstream = connect(Number(port), host);
    track(client);
    track(upstream);
    pass(client, upstream, "request");
    pass(upstream, client, "response");
  });
  const listen = async (atPort: number) => {
    server.listen(atPort, "127.0.0.1");
    await once(server, "listening");
  };
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const stop = async () => {
    cut();
    if (server.listening) await once(server.close(), "close");
  };

  const [ownPort = 0] = await freePorts(1);
  await listen(ownPort);
  return {
    endpoint: `127.0.0.1:${ownPort}`,
    get accepted() {
      return accepted;
    },
    get open() {
      return open;
    },
    async set(next) {
      if (mode === "drop-responses" && next !== mode) cut(); // what was lost cannot be had any more
      mode = next;
      for (const socket of sockets) apply(socket);
      if (next === "refuse") await stop();
      else if (!server.listening) await listen(ownPort);
    },
    cut,
    strand() {
      for (const socket of sockets) {
        stranded.add(socket);
        socket.pause();
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

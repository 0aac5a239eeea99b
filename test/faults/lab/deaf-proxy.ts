/**
 * A proxy in which a stream goes deaf and nothing else: the connection stands, pings and calls are answered, the client may even
 * send on the stream, and what the member says on it is lost. So it looks when an HTTP/2 proxy loses a stream's upstream, or a
 * server starves a watch.
 *
 * It reads HTTP/2's frames (RFC 9113 §4.1) without TLS. A stream is one on which the client has not said its last word; a
 * unary call's request ends at once.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface DeafProxy extends AsyncDisposable {
  readonly endpoint: string;
  /** How many frames were lost so far. */
  readonly lost: number;
  /** Every stream that is open says no more; with `laterOnes` each that is opened hereafter says one thing more. */
  deafen(options?: { readonly laterOnes?: boolean }): void;
  /** Streams that are opened from here on are heard. */
  heal(): void;
}

const PREFACE_BYTES = 24;
const HEADER_BYTES = 9;
const DATA = 0;
const END_STREAM = 1;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly bytes: Buffer;
}

export async function startDeafProxy(target: string): Promise<DeafProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const connections = new Set<{ deafen(): void }>();
  let laterOnes = false;
  let lost = 0;

  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    /** Streams whose client has said its last word. */
    const asked = new Set<number>();
    const open = new Set<number>();
    const deaf = new Set<number>();
    const connection = {
      deafen: () => {
        for (const stream of open) deaf.add(stream);
      },
    };
    connections.add(connection);
    client.on(
      "data",
      frames(PREFACE_BYTES, (bytes, frame) => {
        if (frame && frame.stream > 0 && (frame.flags & END_STREAM) > 0 && frame.type <= 1) asked.add(frame.stream);
        upstream.write(bytes);
      }),
    );
    upstream.on(
      "data",
      frames(0, (bytes, frame) => {
        if (frame?.type === DATA && !asked.has(frame.stream)) {
          if (deaf.has(frame.stream)) {
            lost += 1;
            return;
          }
          open.add(frame.stream);
          if (laterOnes) deaf.add(frame.stream);
        }
        client.write(bytes);
      }),
    );
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        connections.delete(connection);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, // a TCP server's address is never a string
    get lost() {
      return lost;
    },
    deafen(options = {}) {
      laterOnes = options.laterOnes ?? false;
      for (const connection of connections) connection.deafen();
    },
    heal() {
      laterOnes = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), "close");
    },
  };
}

/** Cuts what arrives into frames; what stands before the first comes without one. */
function frames(prefaceBytes: number, take: (bytes: Buffer, frame?: Frame) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let preface = prefaceBytes;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    if (preface > 0 && rest.length >= preface) {
      take(rest.subarray(0, preface));
      rest = rest.subarray(preface);
      preface = 0;
    }
    while (preface === 0 && rest.length >= HEADER_BYTES) {
      const length = HEADER_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < length) return;
      const bytes = rest.subarray(0, length);
      rest = rest.subarray(length);
      take(bytes, { type: bytes[3] ?? 0, flags: bytes[4] ?? 0, stream: bytes.readUInt32BE(5) & 0x7fffffff, bytes });
    }
  };
}

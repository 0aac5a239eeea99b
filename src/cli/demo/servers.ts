/** The tutorial's servers, each a process of its own: the compiled `examples/book/server.ts`, unchanged. */
import { isIPv6 } from "node:net";
import { fileURLToPath } from "node:url";
import { cell, firstMatch } from "../../index.js";
import type { ServerChange } from "./events.js";
import { type DemoProcess, EarlyEnd } from "./process.js";
import type { Crew } from "./processes.js";

/** Where a server would like to run. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface BookServer {
  /** As registered. */
  readonly address: string;
  /** SIGKILL, as a crash is announced to nobody. Gives the moment of it, since the Unix epoch. */
  kill(): Promise<number>;
  /** SIGTERM: it leaves the registry, finishes its calls and ends. */
  drain(): Promise<void>;
  /** A new process on the same address. */
  restart(): Promise<void>;
}

/** How the server complains of its port. */
const TAKEN = "cannot listen on";

const program = fileURLToPath(new URL("../../../examples/book/server.js", import.meta.url));

export class BookServers implements AsyncDisposable {
  readonly #crew: Crew;
  readonly #endpoints: readonly string[];
  readonly #running = new Set<DemoProcess>();
  readonly #addresses = new Set<string>();

  constructor(crew: Crew, endpoints: readonly string[]) {
    this.#crew = crew;
    this.#endpoints = endpoints;
  }

  /** Of every server that was ever registered. */
  get addresses(): ReadonlySet<string> {
    return this.#addresses;
  }

  /** Starts a server, on another port where its own is taken; resolves when it says that it is registered. */
  async start({ host, port }: Place, change: "started" | "joined" = "started"): Promise<BookServer> {
    let [server, address] = await this.#spawn(hostPort(host, port)).catch((error: unknown) => {
      if (error instanceof EarlyEnd && error.message.includes(TAKEN)) return this.#spawn(hostPort(host, 0));
      throw error;
    });
    this.#addresses.add(address);
    const tell = (now: ServerChange) => this.#crew.report({ event: "server", change: now, address });
    tell(change);
    return {
      address,
      kill: async () => {
        const killed = server.kill();
        const atMs = Date.now();
        tell("killed");
        await killed;
        return atMs;
      },
      drain: async () => {
        tell("draining");
        await server.stop();
        tell("stopped");
      },
      restart: async () => {
        [server, address] = await this.#spawn(address);
        tell("restarted");
      },
    };
  }

  async #spawn(listen: string): Promise<[DemoProcess, string]> {
    const { processes, report, signal } = this.#crew;
    const name = `server ${listen}`;
    const registered = cell<string | undefined>(undefined);
    const server = await processes.start({
      name,
      command: process.execPath,
      args: [program, "--listen", listen, "--endpoints", this.#endpoints.join(",")],
      stopSignal: "SIGTERM",
      onLine: (line) => {
        const address = /^book server on (\S+)$/.exec(line)?.[1];
        if (address) registered.set(address);
      },
      // What it says before is in the error when it fails.
      onErrorLine: (line) => registered.current && report({ event: "log", from: name, line }),
    });
    this.#running.add(server);
    void server.ended.then(() => this.#running.delete(server));
    const isAddress = (address: string | undefined) => address !== undefined;
    return [server, await server.expect(firstMatch(registered, isAddress, signal))];
  }

  /** Drains all that still run. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((server) => server.stop()));
  }
}

function hostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

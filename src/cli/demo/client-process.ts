/** The client, a process of its own: the compiled `examples/book/demo-client.ts`, and what it says. */
import { fileURLToPath } from "node:url";
import { type Cell, cell, firstMatch } from "../../index.js";
import type { DemoEvent, Report, Snapshot } from "./events.js";
import type { DemoProcess } from "./process.js";
import type { Crew } from "./processes.js";

export interface Answer {
  readonly address: string;
  readonly reply: string;
}

type ClientEvent =
  | { readonly event: "ready" }
  | ({ readonly event: "call" } & Answer)
  | Extract<DemoEvent, { event: "view" | "attempt-failed" | "call-failed" | "snapshot" }>;

/** What the client said last. */
interface Heard {
  readonly ready: Cell<boolean>;
  readonly answer: Cell<Answer | undefined>;
  readonly view: Cell<readonly string[]>;
  /** Whatever the view ever held. */
  readonly seen: Set<string>;
  readonly snapshot: Cell<Snapshot | undefined>;
}

const program = fileURLToPath(new URL("../../../examples/book/demo-client.js", import.meta.url));

/** Starts the client; resolves when it is connected to three servers. */
export async function startClient(crew: Crew, endpoints: readonly string[]): Promise<BookClient> {
  const { processes, report, signal } = crew;
  const heard: Heard = {
    ready: cell(false),
    answer: cell<Answer | undefined>(undefined),
    view: cell<readonly string[]>([]),
    seen: new Set(),
    snapshot: cell<Snapshot | undefined>(undefined),
  };
  const client = await processes.start({
    name: "client",
    command: process.execPath,
    args: [program, "--endpoints", endpoints.join(",")],
    stopSignal: "SIGTERM",
    onLine: (line) => hear(JSON.parse(line) as ClientEvent, heard, report), // the words of a program of ours
    onErrorLine: (line) => report({ event: "log", from: "client", line }),
  });
  report({ event: "client" });
  await client.expect(firstMatch(heard.ready, Boolean, signal));
  return new BookClient(client, heard, signal);
}

function hear(event: ClientEvent, heard: Heard, report: Report): void {
  if (event.event === "ready") heard.ready.set(true);
  else if (event.event === "call") heard.answer.set(event);
  else report(event);
  if (event.event === "view") {
    heard.view.set(event.addresses);
    for (const address of event.addresses) heard.seen.add(address);
  }
  if (event.event === "snapshot") heard.snapshot.set(event);
}

export class BookClient implements AsyncDisposable {
  readonly #process: DemoProcess;
  readonly #heard: Heard;
  readonly #signal: AbortSignal;

  constructor(process: DemoProcess, heard: Heard, signal: AbortSignal) {
    this.#process = process;
    this.#heard = heard;
    this.#signal = signal;
  }

  async call(): Promise<Answer> {
    this.#heard.answer.set(undefined);
    this.#process.write("call");
    return this.#once(this.#heard.answer, (answer) => answer !== undefined);
  }

  /** Every address that its view ever held. */
  get seen(): ReadonlySet<string> {
    return this.#heard.seen;
  }

  startSteadyCalls(): void {
    this.#process.write("steady");
  }

  /** Resolves when the client's view holds `address`, or no longer holds it. */
  async sees(address: string, present: boolean): Promise<void> {
    await this.#once(this.#heard.view, (addresses) => addresses.includes(address) === present);
  }

  /** Ends the calls and the client; gives the final counts. */
  async finish(): Promise<Snapshot> {
    await this.#process.stop(() => this.#process.write("stop"));
    const counts = this.#heard.snapshot.current;
    if (counts === undefined) throw new Error("the client ended without its counts");
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }

  #once<T, S extends T>(heard: Cell<T>, accept: (value: T) => value is S): Promise<S>;
  #once<T>(heard: Cell<T>, accept: (value: T) => boolean): Promise<T>;
  #once<T>(heard: Cell<T>, accept: (value: T) => boolean): Promise<T> {
    return this.#process.expect(firstMatch(heard, accept, this.#signal));
  }
}

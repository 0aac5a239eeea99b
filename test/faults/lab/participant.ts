/**
 * A program that uses rollcall in a process of its own, so that it can be stopped, continued and killed: it registers and
 * watches as it is told, and everything that it is shown is kept here with its time.
 */
import type { Membership, NewInstance } from "rollcall";
import { startProgram } from "../../support/program.js";
import type { Command, ParticipantOptions, Report, StatusReport, ViewReport } from "./participant-protocol.js";

export type { ParticipantOptions, StatusReport, ViewReport } from "./participant-protocol.js";

export interface Participant extends AsyncDisposable {
  /** Every status of its registrations, in order. */
  readonly statuses: readonly StatusReport[];
  /** Every view that its watches published, in order. */
  readonly views: readonly ViewReport[];
  /** The latest view of `service`. */
  view(service?: string): Membership | undefined;
  /** Keeps trying until it is registered; rejects when it is deregistered before. */
  register(instance: NewInstance, service?: string): Promise<void>;
  /** Waits while the registry is away, as `Registration.update` does. */
  update(address: string, change: Omit<NewInstance, "address">, service?: string): Promise<void>;
  deregister(address: string, service?: string): Promise<void>;
  watch(service?: string): Promise<void>;
  /** Blocks its event loop, as a long synchronous computation does. */
  block(forMs: number): Promise<void>;
  /** Closes its registry: deregisters, ends its watches. */
  close(): Promise<void>;
  /** Resolves with the first report for which `accept` holds, those that came before included. */
  until(accept: (participant: Participant) => boolean, withinMs?: number): Promise<void>;
  /** Stops running, with its connections left open (SIGSTOP). */
  pause(): void;
  resume(): void;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

const ownProgram = new URL("participant-program.ts", import.meta.url);

/** Starts `program`, which speaks the protocol of participants; rollcall's own by default. */
export async function startParticipant(options: ParticipantOptions, program = ownProgram): Promise<Participant> {
  const child = startProgram(program, JSON.stringify(options), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced", // revisions are bigints
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.on("error", () => {}); // a message that an ended process does not get: whoever sent it hears of the end

  const statuses: StatusReport[] = [];
  const views: ViewReport[] = [];
  const listeners = new Set<() => void>();
  const commands = new Map<number, (error?: string) => void>();
  const ready = new Promise<void>((resolve, reject) => {
    exited.then(() => reject(new Error("the participant did not start")));
    child.on("message", (message) => {
      const report = message as Report; // from our own program
      if (report.kind === "ready") resolve();
      if (report.kind === "status") statuses.push(report.report);
      if (report.kind === "view") views.push(report.report);
      if (report.kind === "done") commands.get(report.command)?.(report.error);
      for (const listener of [...listeners]) listener();
    });
  });

  let numbered = 0;
  const send = (command: Command) =>
    new Promise<void>((resolve, reject) => {
      const number = numbered++;
      const settle = (error?: string) => {
        commands.delete(number);
        if (error === undefined) resolve();
        else reject(new Error(error));
      };
      commands.set(number, settle);
      exited.then(() => settle(`the participant ended before it had done "${command.kind}"`));
      child.send({ number, command });
    });
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    child.kill(signal);
    if (signal !== "SIGKILL") child.kill("SIGCONT");
    await exited;
  };

  const participant: Participant = {
    statuses,
    views,
    view: (service = "book") => views.findLast((report) => report.service === service)?.view,
    register: (instance, service = "book") => send({ kind: "register", service, instance }),
    update: (address, change, service = "book") => send({ kind: "update", service, address, change }),
    deregister: (address, service = "book") => send({ kind: "deregister", service, address }),
    watch: (service = "book") => send({ kind: "watch", service }),
    block: (forMs) => send({ kind: "block", forMs }),
    close: () => send({ kind: "close" }),
    until: (accept, withinMs = 20_000) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!accept(participant)) return;
          end();
          resolve();
        };
        const end = () => {
          clearTimeout(timer);
          listeners.delete(look);
        };
        const timer = setTimeout(() => {
          end();
          const last = [statuses.at(-1), views.at(-1)].map((report) => (report ? describe(report) : "nothing"));
          reject(new Error(`not so within ${withinMs} ms; last status and view: ${last.join("; ")}`));
        }, withinMs);
        listeners.add(look);
        look();
      }),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    kill,
    [Symbol.asyncDispose]: kill,
  };
  try {
    await ready;
  } catch (error) {
    await kill();
    throw error;
  }
  return participant;
}

function describe(report: StatusReport | ViewReport): string {
  return JSON.stringify(report, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

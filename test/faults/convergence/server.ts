/** A server of the run: one process after the other under one name and address, and what each of them wanted. */
import type { Laboratory, Participant } from "../lab/laboratory.js";
import { nowMs } from "../lab/participant-protocol.js";
import { type Intent, PREFIX, SERVICE } from "./recording.js";
import type { RegistrarAction, RegistrarPlan } from "./schedule.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface Server {
  readonly intents: readonly Intent[];
  do(act: RegistrarAction["act"]): Promise<void>;
}

export function newServer(lab: Laboratory, { name, address }: RegistrarPlan, endpoints: readonly string[]): Server {
  const intents: Mutable<Intent>[] = [];
  let process: Participant | undefined;

  const start = async () => {
    process ??= await lab.participant({ endpoints });
    const writer = `${name}.${intents.length + 1}`;
    const intent: Mutable<Intent> = { writer, key: PREFIX + address, fromMs: nowMs(), updates: 0 };
    intents.push(intent);
    const { statuses } = process;
    process.register({ address, metadata: { writer } }, SERVICE).then(
      () => {
        const revision = statuses.at(-1)?.revision;
        if (revision !== undefined) intent.registered = { atMs: nowMs(), revision };
      },
      () => {}, // deregistered or killed before
    );
  };
  const update = () => {
    const intent = intents.at(-1);
    if (!process || !intent || intent.endedAtMs !== undefined) return;
    intent.updates += 1;
    const metadata = { writer: intent.writer, update: `${intent.updates}` };
    process.update(address, { metadata }, SERVICE).catch(() => {}); // deregistered or killed before
  };
  const end = () => {
    const intent = intents.at(-1);
    if (intent) intent.endedAtMs ??= nowMs();
  };
  return {
    intents,
    async do(act) {
      if (typeof act === "object") {
        return process?.block(act.blockMs).catch(() => {}); // killed before it is over
      }
      switch (act) {
        case "start":
          return start();
        case "update":
          return update();
        case "deregister":
          end();
          process?.deregister(address, SERVICE).catch(() => {}); // killed before it is done
          return;
        case "kill":
          end();
          await process?.kill();
          process = undefined;
          return;
        case "pause":
          return process?.pause();
        case "resume":
          return process?.resume();
      }
    },
  };
}

/** A client of the run: one process after the other, each with a record of its own. */
import type { Laboratory, Participant } from "../lab/laboratory.js";
import { type ClientRecord, SERVICE } from "./recording.js";
import type { ClientAction } from "./schedule.js";

export interface Client {
  records(): readonly ClientRecord[];
  do(act: ClientAction["act"]): Promise<void>;
}

export function newClient(lab: Laboratory, name: string, endpoints: readonly string[]): Client {
  const processes: Participant[] = [];
  let running: Participant | undefined;
  return {
    records: () =>
      processes.map((process, index) => ({
        name: `${name}.${index + 1}`,
        alive: process === running,
        views: process.views,
      })),
    async do(act) {
      switch (act) {
        case "start":
          running = await lab.participant({ endpoints });
          processes.push(running);
          return running.watch(SERVICE);
        case "kill":
          await running?.kill();
          running = undefined;
          return;
        case "pause":
          return running?.pause();
        case "resume":
          return running?.resume();
      }
    },
  };
}

/**
 * Nothing is shown, and nothing retained, that was never there. Weaker than exactness, and it holds where exactness says
 * nothing: for `retained`, and for what a wipe has taken from the auditor before it was heard.
 */

import { placeViews } from "../placement.js";
import type { Life } from "../recording.js";
import { type InstanceLine, knownUntil, lineOf, shownLine } from "../truth.js";
import type { Check } from "./check.js";

export const noPhantom: Check = ({ clients, lives, intents }) =>
  clients.flatMap((client) =>
    placeViews(client, lives).flatMap(({ view, life }) => {
      const everThere = linesUntil([life], view.revision);
      // What was retained may be of an earlier life.
      const everAnywhere = linesUntil(lives);
      const lost = view.revision > knownUntil(life);
      const wasWanted = (line: InstanceLine) => lost && intents.some(({ writer }) => line.includes(`"${writer}"`));
      const phantoms = [
        ...view.instances.map(shownLine).filter((line) => !everThere.has(line) && !wasWanted(line)),
        ...view.retained.map(shownLine).filter((line) => !everAnywhere.has(line) && !wasWanted(line)),
        ...view.retained.map(shownLine).filter((line) => view.instances.some((other) => shownLine(other) === line)),
      ];
      return phantoms.map((line) => ({
        check: "no phantom",
        atMs: view.atMs,
        what: `${client.name} shows ${line} at epoch ${view.epoch} revision ${view.revision}`,
      }));
    }),
  );

function linesUntil(lives: readonly Life[], revision?: bigint): Set<InstanceLine> {
  return new Set(
    lives.flatMap(({ events }) =>
      events.flatMap(({ key, value, modRevision }) => {
        if (value === undefined || (revision !== undefined && modRevision > revision)) return [];
        return lineOf(key, value) ?? [];
      }),
    ),
  );
}

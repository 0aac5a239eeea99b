/**
 * Every view shows exactly what stood in etcd at the revision that it claims, whatever has failed and however old it is; and
 * a client begins a new epoch when the cluster was rebuilt, and only then.
 */
import { placeViews } from "../placement.js";
import { instancesIn, judge, knownUntil, shownLine, stateAt } from "../truth.js";
import type { Check, Violation } from "./check.js";

export const exactness: Check = ({ clients, lives }) =>
  clients.flatMap((client) =>
    placeViews(client, lives).flatMap(({ view, life, leap }): Violation[] => {
      const about = { check: "exactness", atMs: view.atMs };
      const claim = `${client.name} shows epoch ${view.epoch} revision ${view.revision}`;
      if (leap !== undefined) return [{ ...about, what: `${claim}, ${leap}` }];
      if (judge(view, life, lives) !== "wrong") return [];
      if (view.revision > knownUntil(life)) return [{ ...about, what: `${claim}, which the store has not reached` }];
      const truth = instancesIn(stateAt(life, view.revision));
      const shown = view.instances.map(shownLine);
      return [{ ...about, what: `${claim} as [${shown.join("; ")}], where there was [${truth.join("; ")}]` }];
    }),
  );

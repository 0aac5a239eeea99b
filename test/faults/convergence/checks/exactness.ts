/** Every view shows exactly what stood in etcd at the revision that it claims, whatever has failed and however old it is. */
import { instancesIn, judge, knownUntil, knownViews, livesOfEpochs, shownLine, stateAt } from "../truth.js";
import type { Check, Violation } from "./check.js";

export const exactness: Check = ({ clients, lives }) =>
  clients.flatMap((client) => {
    const lifeOf = livesOfEpochs(client, lives);
    return knownViews(client).flatMap((view): Violation[] => {
      const about = { check: "exactness", atMs: view.atMs };
      const claim = `${client.name} shows epoch ${view.epoch} revision ${view.revision}`;
      const life = lifeOf.get(view.epoch);
      if (!life) return [{ ...about, what: `${claim}: the cluster was not rebuilt so often` }];
      if (judge(view, life, lives) !== "wrong") return [];
      if (view.revision > knownUntil(life)) return [{ ...about, what: `${claim}, which the store has not reached` }];
      const truth = instancesIn(stateAt(life, view.revision));
      const shown = view.instances.map(shownLine);
      return [{ ...about, what: `${claim} as [${shown.join("; ")}], where there was [${truth.join("; ")}]` }];
    });
  });

/**
 * No failure of etcd takes away what a client has: a view that was once known is never pending again, and one that goes stale
 * keeps its instances. An empty view is one that etcd's history shows as empty; not knowing that history is no excuse.
 */
import { placeViews } from "../placement.js";
import { instancesIn, stateAt } from "../truth.js";
import type { Check, Violation } from "./check.js";

export const noEmpty: Check = ({ clients, lives }) =>
  clients.flatMap((client) => {
    const violations: Violation[] = [];
    const complain = (atMs: number, what: string) =>
      violations.push({ check: "no empty", atMs, what: `${client.name} ${what}` });

    const firstKnown = client.views.findIndex(({ view }) => view.state !== "pending");
    for (const { view, atMs } of firstKnown < 0 ? [] : client.views.slice(firstKnown)) {
      if (view.state === "pending") complain(atMs, "is pending again");
    }
    const views = placeViews(client, lives);
    for (const [index, { view, life }] of views.entries()) {
      const before = views[index - 1]?.view;
      const claim = `epoch ${view.epoch} revision ${view.revision}`;
      const samePlace = before?.epoch === view.epoch && before.revision === view.revision;
      if (view.state === "stale" && samePlace && view.instances.length < before.instances.length) {
        complain(view.atMs, `lost instances when ${claim} went stale`);
      }
      if (view.instances.length > 0 || !before || before.instances.length === 0) continue;
      if (instancesIn(stateAt(life, view.revision)).length > 0) complain(view.atMs, `shows nothing at ${claim}`);
    }
    return violations;
  });

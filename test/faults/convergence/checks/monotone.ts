/** A client never goes back: neither to an earlier epoch, nor within one to an earlier revision. */
import { knownViews } from "../truth.js";
import type { Check } from "./check.js";

export const monotone: Check = ({ clients }) =>
  clients.flatMap((client) => {
    const views = knownViews(client);
    return views.flatMap((view, index) => {
      const before = views[index - 1];
      if (!before || view.epoch > before.epoch) return [];
      if (view.epoch === before.epoch && view.revision >= before.revision) return [];
      const [from, to] = [before, view].map(({ epoch, revision }) => `epoch ${epoch} revision ${revision}`);
      return [{ check: "monotone", atMs: view.atMs, what: `${client.name} went from ${from} back to ${to}` }];
    });
  });

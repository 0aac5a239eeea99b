/** Once all is healed, every client's view is live and equal to a linearizable read, and stays so. */
import { instancesIn, shownLine } from "../truth.js";
import type { Check, Violation } from "./check.js";

export const convergence: Check = ({ clients, final, settled }) =>
  clients
    .filter(({ alive }) => alive)
    .flatMap(({ name, views }) => {
      const violations: Violation[] = [];
      const complain = (atMs: number, what: string) =>
        violations.push({ check: "convergence", atMs, what: `${name} ${what}` });

      const view = views.at(-1)?.view;
      if (view?.state !== "live") complain(final.atMs, `is ${view?.state ?? "without a view"}, and etcd is well`);
      else {
        const shown = view.instances.map(shownLine).join("; ");
        const truth = instancesIn(final.entries).join("; ");
        if (shown !== truth) complain(final.atMs, `shows [${shown}], and a read shows [${truth}]`);
      }
      for (const { view, atMs } of views) {
        if (settled && atMs > settled.atMs && view.state !== "live") {
          complain(atMs, `went ${view.state} when all had settled`);
        }
      }
      return violations;
    });

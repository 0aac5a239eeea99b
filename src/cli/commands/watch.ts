/** Every view of a service as it is published, through whatever happens to etcd. */
import type { Membership } from "../../index.js";
import { etcd } from "../../registry/etcd/index.js";
import { command } from "../command.js";
import { connectionOf, connectionOptions, prefixOption } from "../connection.js";
import { flag } from "../options.js";
import { aborted, stopSignal } from "../stop-signal.js";
import { painter } from "../table.js";
import { viewJson, viewText } from "../view.js";

export const watch = command({
  verb: "watch",
  summary: "print every view of a service as its instances come and go",
  description:
    "Prints each published view: all instances, complete, with the revision at which etcd held exactly these.\n" +
    "It may start while etcd is down (pending); once it was live, an outage makes it stale and never empty.\n" +
    "Runs until SIGINT or SIGTERM. It needs read permission on <prefix><service>/ and nothing else.",
  operands: [{ name: "service", help: "the service's name, e.g. book" }],
  options: {
    ...connectionOptions,
    prefix: prefixOption,
    json: flag('NDJSON on stdout: {"state","revision","instances","at"}, one view a line'),
  },
  examples: ["rollcall watch book", "rollcall watch book --json | jq -c '[.instances[].address]'"],

  async run({ values, operands: [service = ""] }, stdout) {
    using stop = stopSignal();
    const paint = painter(stdout.isTerminal, process.env);
    const registry = etcd({ ...connectionOf(values), prefix: values.prefix });
    try {
      let last: Membership["state"] | undefined;
      // Ended before the registry is: that would be a view as well.
      using _following = registry.instancer(service).subscribe((view) => {
        const again = view.state === "pending" && last === "pending";
        last = view.state;
        if (values.json && again) return; // it differs only in the reason, which the log tells
        const at = new Date();
        stdout.writeNewest(values.json ? viewJson(view, at) : viewText(view, service, at, paint));
      });
      await Promise.race([aborted(stop.signal), aborted(stdout.gone)]);
    } finally {
      await registry.close();
      await stdout.flush();
    }
    return 0;
  },
});

/** The embedded registry as a server: etcd's API on this machine without an installation. */
import { startEmbedded } from "../../embedded/index.js";
import { command } from "../command.js";
import { json } from "../ndjson.js";
import { asText, flag, one } from "../options.js";
import { aborted, stopSignal } from "../stop-signal.js";

export const dev = command({
  verb: "dev",
  summary: "run the embedded registry, which etcdctl and go-kit can use too",
  description:
    "Serves the part of the etcd v3 API that service discovery needs, from memory, until SIGINT or SIGTERM.\n" +
    "For development and tests: one member, no disk, and everything in it is gone when it ends.",
  operands: [],
  options: {
    listen: one("host:port", "where to listen; port 0 takes a free one", asText, { default: "127.0.0.1:2379" }),
    json: flag('NDJSON on stdout: {"event":"listening","endpoint"}'),
  },
  examples: ["rollcall dev", "rollcall dev --listen 127.0.0.1:0 --json"],

  async run({ values }, stdout) {
    using stop = stopSignal();
    const registry = await startEmbedded({ listen: values.listen });
    const { endpoint } = registry;
    if (values.json) await stdout.write(json({ event: "listening", endpoint }));
    else await stdout.write(`embedded registry on ${endpoint}, in memory; stop it with Ctrl-C`);
    await aborted(stop.signal);
    await registry.close();
    return 0;
  },
});

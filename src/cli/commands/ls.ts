/** One look: the instances of a service, or the services that have any. */
import { firstMatch, type Logger, type Membership, RollcallError } from "../../index.js";
import { type EtcdOptions, etcd, etcdClient, listServices } from "../../registry/etcd/index.js";
import { command } from "../command.js";
import { connectionOf, connectionOptions, prefixOption } from "../connection.js";
import { json } from "../ndjson.js";
import { flag } from "../options.js";
import { painter, table } from "../table.js";
import { viewJson, viewText } from "../view.js";

// The 5 s that the client gives one call, an election included, and what the watch then takes to say what went wrong.
const ANSWER_WITHIN_MS = 7_000;

export const ls = command({
  verb: "ls",
  summary: "print the instances of a service once, or the services there are",
  description: "Prints one view of the service, or without one the services under the prefix, then exits.",
  operands: [{ name: "service", help: "the service's name; without it, the services are listed", optional: true }],
  options: {
    ...connectionOptions,
    prefix: prefixOption,
    json: flag('NDJSON on stdout: one view as watch prints it, or {"service","instances"} for each service'),
  },
  examples: ["rollcall ls", "rollcall ls book --endpoints 10.0.0.1:2379,10.0.0.2:2379"],

  async run({ values, operands: [service] }, stdout) {
    const options = { ...connectionOf(values), prefix: values.prefix };
    const paint = painter(stdout.isTerminal, process.env);
    if (service !== undefined) {
      const view = await oneView(options, service);
      await stdout.write(values.json ? viewJson(view, new Date()) : viewText(view, service, new Date(), paint));
      return 0;
    }
    const { prefix, ...connection } = options;
    await using client = etcdClient(connection);
    const services = [...(await listServices(client, prefix))];
    if (values.json) {
      for (const [name, instances] of services) await stdout.write(json({ service: name, instances }));
    } else if (services.length === 0) {
      process.stderr.write(`no service is registered under ${prefix}\n`);
    } else {
      const rows = services.map(([name, instances]) => [name, String(instances)]);
      await stdout.write(table(["SERVICE", "INSTANCES"], rows, paint).join("\n"));
    }
    return 0;
  },
});

/** The first live view. What keeps it from coming is the watch's to say, so the error is its last word. */
async function oneView(options: EtcdOptions, service: string): Promise<Membership> {
  let lastWord = "etcd did not answer";
  const logger: Logger = {
    warn(message) {
      lastWord = message;
    },
    info() {},
  };
  await using registry = etcd({ ...options, logger });
  const instancer = registry.instancer(service);
  try {
    return await firstMatch(instancer, ({ state }) => state === "live", AbortSignal.timeout(ANSWER_WITHIN_MS));
  } catch (cause) {
    const message = `${service} cannot be listed: ${lastWord}; is etcd at ${options.endpoints.join(", ")}?`;
    throw new RollcallError("REGISTRY_UNAVAILABLE", message, { cause });
  }
}

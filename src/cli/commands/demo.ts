/** The tutorial from end to end, and the accidents that it does not tell of. */
import { command } from "../command.js";
import { connectionOf, connectionOptions } from "../connection.js";
import { type DemoTarget, runDemo } from "../demo/demo.js";
import { flag } from "../options.js";
import { UsageError } from "../usage-error.js";

export const demo = command({
  verb: "demo",
  summary: "show the whole path: servers die, drain and join, and no call fails",
  description:
    "Three servers, one client, eight calls. Then, under steady calls, one server is killed, one is drained and\n" +
    "restarted, a fourth joins, and with --cluster a member of etcd is killed too. Ends with 0 if no call failed.",
  operands: [],
  options: {
    cluster: flag("on three members of etcd, started here on 127.0.0.1, 127.0.0.2 and 127.0.0.3"),
    endpoints: { ...connectionOptions.endpoints, help: "on the etcd there", otherwise: "the embedded registry" },
    json: flag("NDJSON on stdout: what happens, and at the end the summary"),
  },
  examples: ["rollcall demo", "rollcall demo --cluster", "rollcall demo --endpoints 10.0.0.1:2379,10.0.0.2:2379"],
  run: ({ values: { cluster, endpoints, json } }) => runDemo({ target: targetOf(cluster, endpoints), json }),
});

/** The variables of etcdctl choose nothing here: the demo writes to somebody's etcd only when it is told to. */
function targetOf(cluster: boolean, endpoints: string | undefined): DemoTarget {
  if (endpoints === undefined) return { kind: cluster ? "cluster" : "embedded" };
  if (cluster) throw new UsageError("--cluster and --endpoints are two places to play: give one of them");
  return { kind: "etcd", connection: connectionOf({ endpoints }, {}) };
}

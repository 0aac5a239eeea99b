/** What the book programs are told on the command line, named as etcdctl names it. */
import { parseArgs } from "node:util";

const usage = "options: --listen host:port (servers only), --endpoints host:port,… (of etcd)";

/** Ends the process, with one line, where the arguments cannot be used. */
export function bookOptions(): { readonly listen: string; readonly endpoints: readonly string[] } {
  try {
    const { values } = parseArgs({
      options: {
        listen: { type: "string", default: "127.0.0.1:50051" },
        endpoints: { type: "string", default: process.env.ETCDCTL_ENDPOINTS || "127.0.0.1:2379" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    return { listen: values.listen, endpoints: values.endpoints.split(",").map((each) => each.trim()) };
  } catch (error) {
    console.error(`book: ${error instanceof Error ? error.message : error}; ${usage}`);
    process.exit(2);
  }
}

/** What the book programs are told on the command line, named as etcdctl names it. */
import { parseArgs } from "node:util";

/** `--listen host:port` (servers only) and `--endpoints host:port,…` (default: ETCDCTL_ENDPOINTS, else 127.0.0.1:2379). */
export function bookOptions(): { readonly listen: string; readonly endpoints: readonly string[] } {
  const { values } = parseArgs({
    options: {
      listen: { type: "string", default: "127.0.0.1:50051" },
      endpoints: { type: "string", default: process.env.ETCDCTL_ENDPOINTS ?? "127.0.0.1:2379" },
    },
  });
  return { listen: values.listen, endpoints: values.endpoints.split(",") };
}

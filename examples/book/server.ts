/**
 * The tutorial's server: it answers `hello <a> you are <b> old?` and is registered in etcd under /services/book/ for as
 * long as it can. Stop it with SIGTERM or Ctrl-C: it leaves etcd first, finishes its calls and ends.
 */
import { RollcallError } from "rollcall";
import { etcd } from "rollcall/etcd";
import { type ServiceImplementation, serve } from "rollcall/grpc";
import { Test } from "./book_pb.js";
import { bookOptions } from "./options.js";

const implementation: ServiceImplementation<typeof Test> = {
  test: ({ a, b }) => ({ v: `hello ${a} you are ${b} old?` }),
};

const { listen, endpoints } = bookOptions();
try {
  await using registry = etcd({ endpoints });
  const server = await serve({ registry, service: "book", listen, handlers: [[Test, implementation]] });
  console.log(`book server on ${server.address}`);
  await server.closed;
} catch (error) {
  console.error(`book server: ${error instanceof Error ? error.message : error}`);
  process.exitCode = error instanceof RollcallError && error.code === "INVALID_ARGUMENT" ? 2 : 1;
}

/** One server of the tutorial's service in a process of its own: tells its parent its address, and ends with it. */
import { memory } from "rollcall";
import { serve } from "rollcall/grpc";
import { Test } from "../../examples/book/book_pb.js";

const { address } = await serve({
  registry: memory(),
  service: "book",
  listen: "127.0.0.1:0",
  handlers: [[Test, { test: ({ a, b }) => ({ v: `hello ${a} you are ${b} old?` }) }]],
});
process.send?.(address);
process.on("disconnect", () => process.exit());

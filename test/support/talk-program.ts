/** The program of `startTalkProcess`: serves Talk on the address that it is told, and prints that; ends with its parent. */
import { memory } from "rollcall";
import { serve } from "rollcall/grpc";

import { talkImplementation } from "./talk.js";
import { Talk } from "./talk_pb.js";

const { address } = await serve({
  registry: memory(),
  service: "talk",
  listen: process.argv[2] ?? "127.0.0.1:0",
  handlers: [[Talk, talkImplementation(() => {})]],
});
console.log(address);
process.stdin.on("end", () => process.exit()).resume();

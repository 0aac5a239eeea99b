/** The program of `startTalkProcess`: serves Talk as it is told, prints its address, and ends with its parent or when drained. */
import { setTimeout as sleep } from "node:timers/promises";
import { memory } from "rollcall";
import { etcd } from "rollcall/etcd";
import { serve } from "rollcall/grpc";

import { talkImplementation } from "./talk.js";
import { Talk } from "./talk_pb.js";
import type { TalkProcessOptions } from "./talk-process.js";

process.stdin.on("end", () => process.exit()).resume();
const options = JSON.parse(process.argv[2] ?? "{}") as TalkProcessOptions; // from our own parent
const { listen = "127.0.0.1:0", workMs = 0, etcd: members, ...serving } = options;
const registry = members === undefined ? memory() : etcd({ logger: false, ...members });
const talk = talkImplementation(() => {});
const handle = await serve({
  registry,
  service: "talk",
  listen,
  ...serving,
  handlers: [
    [
      Talk,
      {
        ...talk,
        async say(words, context) {
          if (workMs > 0) await sleep(workMs);
          return talk.say(words, context);
        },
      },
    ],
  ],
});
console.log(handle.address);
await handle.closed;
await registry.close();
process.exit();

/** What stands in for a transport: a connection to a simulated server, over which a call takes no time of its own. */
import type { Clock } from "../clock.js";
import { type CallContext, type Connection, type ConnectionStatus, cell, type Outcome } from "../index.js";
import type { Random } from "../random.js";
import type { Request, Server } from "./server.js";

/** The client that an operation is given. */
export interface SimulatedClient {
  call(context: CallContext): Promise<void>;
}

/** Once a server is up again, a connection to it is made within this time. */
const RECONNECT_MS = 1_000;

const UNAVAILABLE = new Error("UNAVAILABLE");
const REFUSED = new Error("connection refused");
const outcomes = new Map<unknown, Outcome>([
  [UNAVAILABLE, { kind: "failed", reached: "maybe-seen", fault: "server", code: "UNAVAILABLE" }],
  [REFUSED, { kind: "failed", reached: "never-sent", fault: "server", code: "UNAVAILABLE" }],
]);
const CANCELLED: Outcome = { kind: "cancelled", reached: "maybe-seen" };

export function connectTo(server: Server, clock: Clock, random: Random): Connection<SimulatedClient> {
  const status = cell<ConnectionStatus>("ready");
  let up = true;
  const following = server.follow((now) => {
    up = now;
    if (!up) status.set("failing");
    else if (status.current !== "ready") clock.after(random() * RECONNECT_MS, () => up && status.set("ready"));
  });
  return {
    status,
    client: {
      call(context) {
        if (status.current === "failing") return Promise.reject(REFUSED);
        return new Promise((resolve, reject) => {
          const request: Request & { over: boolean } = {
            over: false,
            answer: resolve,
            fail: () => reject(UNAVAILABLE),
          };
          context.onCancel((reason) => {
            request.over = true;
            reject(reason);
          });
          server.take(request);
        });
      },
    },
    outcomeOf: (error) => outcomes.get(error) ?? CANCELLED,
    async [Symbol.asyncDispose]() {
      following[Symbol.dispose]();
    },
  };
}

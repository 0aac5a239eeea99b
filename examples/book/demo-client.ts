/**
 * The client of `rollcall demo`. It is told on stdin what to do, a word a line:
 *
 *     call        one call; answered by `{"event":"call","address","reply"}`
 *     steady      calls from four callers until it is told otherwise, a `snapshot` of the counts four times a second
 *     stop        the last snapshot, and the end
 *
 * and says on stdout what it sees, one JSON object a line. It ends with its stdin.
 */
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { firstMatch, roundRobin } from "rollcall";
import { etcd } from "rollcall/etcd";
import { grpcClient } from "rollcall/grpc";
import { Test } from "./book_pb.js";
import { Counts } from "./demo-counts.js";
import { bookOptions } from "./options.js";

const CALLERS = 4;
const PAUSE_MS = 10;
const SNAPSHOT_MS = 250;

const registry = etcd({ endpoints: bookOptions().endpoints });
// Asking for a greeting twice does no harm, and only for such calls may a client say so: a call whose server dies before it
// has answered may have been carried out there, and is made again at another.
// Taking turns shows everybody at work; without a word a client takes the cheaper of two (`p2c()`).
const book = grpcClient(Test, { registry, service: "book", idempotent: true, strategy: roundRobin() });
const counts = new Counts();

/** One call. `book.test(…)` is the short form; this one is told which instance each attempt goes to. */
async function greet() {
  let answeredBy = "";
  const reply = await book.call(async (client, { instance, signal, deadlineMs }) => {
    const attempt = counts.begin(instance.address);
    try {
      const answer = await client.test({ a: "Allen", b: 21n }, { signal, deadlineMs });
      attempt.answered();
      answeredBy = instance.address;
      return answer;
    } catch (error) {
      // Another attempt was faster: nobody's error.
      if (!signal.aborted) {
        attempt.failed();
        say({ event: "attempt-failed", address: instance.address, message: messageOf(error) });
      }
      throw error;
    }
  });
  return { address: answeredBy, reply: reply.v };
}

let stopping = false;

async function steadyCalls(): Promise<void> {
  while (!stopping) {
    const call = counts.beginCall();
    await greet().then(
      () => call.succeeded(),
      (error: unknown) => {
        call.failed();
        say({ event: "call-failed", message: messageOf(error) });
      },
    );
    await sleep(PAUSE_MS);
  }
}

function snapshot(): void {
  say({ event: "snapshot", ...counts.snapshot(book.endpoints.current) });
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Whoever waits for all three sees the round from its start; calls do not need it.
await firstMatch(book.endpoints.availability, ({ total, ready }) => total >= 3 && ready === total);
book.membership.subscribe((membership) => {
  const { state } = membership;
  const instances = membership.state === "pending" ? [] : membership.instances;
  say({ event: "view", state, addresses: instances.map(({ address }) => address) });
});
say({ event: "ready" });

const working: Promise<void>[] = [];
let snapshots: NodeJS.Timeout | undefined;
for await (const word of createInterface({ input: process.stdin })) {
  if (word === "call") say({ event: "call", ...(await greet()) });
  if (word === "steady") {
    for (let caller = 0; caller < CALLERS; caller += 1) working.push(steadyCalls());
    snapshots = setInterval(snapshot, SNAPSHOT_MS);
  }
  if (word === "stop") break;
}
stopping = true;
clearInterval(snapshots);
await Promise.all(working);
snapshot();
await book.close();
await registry.close();
process.stdin.destroy(); // an open one would keep the process

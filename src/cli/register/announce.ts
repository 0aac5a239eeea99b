/** What happens to a registration, told to programs as NDJSON and to people as lines on stderr. */
import type { Registration } from "../../index.js";
import type { LineOutput } from "../line-output.js";
import { json } from "../ndjson.js";

/** Reports from now on. What the registry warns of itself (lost, superseded, back again), people are not told twice. */
export function announce(registration: Registration, stdout: LineOutput, asJson: boolean): void {
  let times = 0;
  let present = false;
  const tell = (event: object, forPeople?: string) => {
    if (asJson) void stdout.write(json(event));
    else if (forPeople !== undefined) process.stderr.write(`${forPeople}\n`);
  };
  registration.subscribe(({ state, reason, by }) => {
    const key = registration.instance.id;
    const at = new Date().toISOString();
    if (state === "registered" && !present) {
      const { id: leaseId = 0n, ttlMs = 0, revision } = registration.lease ?? {};
      const line = `registered ${key} (lease ${leaseId.toString(16)}, TTL ${ttlMs / 1_000} s)`;
      tell({ event: "registered", key, leaseId, ttlMs, revision, at }, times === 0 ? line : undefined);
      times += 1;
    }
    if (state === "lost") tell({ event: "lost", reason });
    if (state === "superseded") tell({ event: "superseded", by });
    if (state === "closed" && reason === undefined) tell({ event: "deregistered" }, `deregistered ${key}`);
    present = state === "registered" || (present && state === "suspect");
  });
}

/**
 * A participant that uses npm's etcd3 1.1.2 as its documentation shows, and as somebody would who means it to last: a lease that
 * is lost is granted anew at once, and after a second where that fails; calls have a deadline, connections are pinged as often
 * as rollcall's, and answers may be as long as etcd makes them; a watch starts behind the list, reports its disconnections as
 * `stale`, and starts over with a list when it ends with an error.
 */
import { Etcd3, type Lease } from "etcd3";
import type { Instance, Membership } from "rollcall";
import { type Command, nowMs, type ParticipantOptions, type Report } from "../lab/participant-protocol.js";

const AGAIN_AFTER_MS = 1_000;
// That of the example in its documentation.
const DEADLINE_MS = 10_000;

const { endpoints, ttlMs = 10_000, user, password } = JSON.parse(process.argv[2] ?? "{}") as ParticipantOptions;
const etcd = new Etcd3({
  grpcOptions: {
    "grpc.max_receive_message_length": -1,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
  },
  defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + DEADLINE_MS }),
  hosts: endpoints.map((endpoint) => `http://${endpoint}`),
  ...(user !== undefined && password !== undefined && { auth: { username: user, password } }),
});
const leases = new Map<string, Lease>();

const report = (message: Report) => void process.send?.(message);
const again = (step: () => void) => void setTimeout(step, AGAIN_AFTER_MS);

/** Resolves with the first registration; from then on it is kept. */
function hold(service: string, address: string): Promise<void> {
  const key = `/services/${service}/${address}`;
  const tell = (state: "registered" | "lost", reason?: string) =>
    report({ kind: "status", report: { state, service, address, atMs: nowMs(), ...(reason && { reason }) } });
  return new Promise((resolve) => {
    const grant = () => {
      const lease = etcd.lease(ttlMs / 1_000);
      let isHeld = false;
      let isOver = false;
      const end = (error: Error) => {
        if (isOver || !leases.has(key)) return;
        isOver = true;
        tell("lost", error.message);
        if (isHeld) grant();
        else again(grant);
      };
      leases.set(key, lease);
      lease.on("lost", end);
      lease
        .put(key)
        .value(address)
        .then(
          () => {
            isHeld = true;
            tell("registered");
            resolve();
          },
          (error: Error) => {
            lease.release();
            end(error);
          },
        );
    };
    grant();
  });
}

function follow(service: string): void {
  const prefix = `/services/${service}/`;
  const entries = new Map<string, string>();
  let error: Error | undefined;
  const show = () => {
    const instances: Instance[] = [...entries].map(([id, address]) => ({ id, address }));
    const known = { instances, retained: [], revision: 0n, epoch: 0 };
    const view: Membership = error
      ? { state: "stale", ...known, error, sinceEpochMs: nowMs() }
      : { state: "live", ...known };
    report({ kind: "view", report: { service, view, atMs: nowMs() } });
  };
  const start = async () => {
    const list = await etcd.getAll().prefix(prefix).exec();
    entries.clear();
    for (const { key, value } of list.kvs) entries.set(key.toString(), value.toString());
    error = undefined;
    show();
    const watcher = await etcd
      .watch()
      .prefix(prefix)
      .startRevision(String(BigInt(list.header.revision) + 1n))
      .create();
    watcher.on("put", ({ key, value }) => {
      entries.set(key.toString(), value.toString());
      show();
    });
    watcher.on("delete", ({ key }) => {
      entries.delete(key.toString());
      show();
    });
    watcher.on("disconnected", (reason) => {
      error = reason;
      show();
    });
    watcher.on("connected", () => {
      error = undefined;
      show();
    });
    watcher.on("error", () => restart());
  };
  const restart = () => again(() => void start().catch(restart));
  void start().catch(restart);
}

async function obey(command: Command): Promise<void> {
  switch (command.kind) {
    case "register":
      return hold(command.service, command.instance.address);
    case "deregister": {
      const key = `/services/${command.service}/${command.address}`;
      const lease = leases.get(key);
      leases.delete(key);
      return lease?.revoke();
    }
    case "watch":
      return follow(command.service);
    case "block": {
      const until = nowMs() + command.forMs;
      while (nowMs() < until);
      return;
    }
    case "close":
      await Promise.all([...leases.values()].map((lease) => lease.revoke()));
      etcd.close();
  }
}

process.on("message", ({ number, command }: { number: number; command: Command }) => {
  obey(command).then(
    () => report({ kind: "done", command: number }),
    (error: unknown) => report({ kind: "done", command: number, error: String(error) }),
  );
});
process.on("disconnect", () => process.exit());
report({ kind: "ready" });

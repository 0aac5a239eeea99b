/** The program of `startParticipant`: registers and watches as it is told, and reports every status and view. */
import type { Registration } from "rollcall";
import { etcd } from "rollcall/etcd";
import { type Command, nowMs, type ParticipantOptions, type Report } from "./participant-protocol.js";
import { suspendedClock } from "./suspended-clock.js";

const { clock, ...options } = JSON.parse(process.argv[2] ?? "{}") as ParticipantOptions;
const registry = etcd({ logger: false, ...options, ...(clock === "suspended" && { clock: suspendedClock() }) });
const registrations = new Map<
  string,
  { readonly giveUp: AbortController; readonly registered: Promise<Registration> }
>();

const report = (message: Report) => void process.send?.(message);

async function obey(command: Command): Promise<void> {
  switch (command.kind) {
    case "register": {
      const { service, instance } = command;
      const giveUp = new AbortController();
      const patience = { timeoutMs: Number.POSITIVE_INFINITY, signal: giveUp.signal };
      const registered = registry.register(service, instance, patience);
      registrations.set(`${service} ${instance.address}`, { giveUp, registered });
      const registration = await registered;
      registration.subscribe((status) => {
        const { id: leaseId, revision } = registration.lease ?? {};
        const lease = { ...(leaseId !== undefined && { leaseId }), ...(revision !== undefined && { revision }) };
        report({ kind: "status", report: { ...status, service, address: instance.address, ...lease, atMs: nowMs() } });
      });
      break;
    }
    case "update": {
      const registration = await registrations.get(`${command.service} ${command.address}`)?.registered;
      await registration?.update(command.change);
      break;
    }
    case "deregister": {
      const key = `${command.service} ${command.address}`;
      const made = registrations.get(key);
      registrations.delete(key);
      made?.giveUp.abort(); // has no effect once it is registered
      await made?.registered.then(
        (registration) => registration.close(),
        () => {}, // told to whoever asked for it
      );
      break;
    }
    case "watch":
      registry.instancer(command.service).subscribe((view) => {
        report({ kind: "view", report: { service: command.service, view, atMs: nowMs() } });
      });
      break;
    case "block": {
      const until = nowMs() + command.forMs;
      while (nowMs() < until);
      break;
    }
    case "close":
      await registry.close();
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

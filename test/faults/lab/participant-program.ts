/** The program of `startParticipant`: registers and watches as it is told, and reports every status and view. */
import type { Registration } from "rollcall";
import { etcd } from "rollcall/etcd";
import { type Command, nowMs, type ParticipantOptions, type Report } from "./participant-protocol.js";

const options = JSON.parse(process.argv[2] ?? "{}") as ParticipantOptions;
const registry = etcd({ logger: false, ...options });
const registrations = new Map<string, Registration>();

const report = (message: Report) => void process.send?.(message);

async function obey(command: Command): Promise<void> {
  switch (command.kind) {
    case "register": {
      const { service, instance } = command;
      const registration = await registry.register(service, instance, { timeoutMs: Number.POSITIVE_INFINITY });
      registrations.set(`${service} ${instance.address}`, registration);
      registration.subscribe((status) => {
        const leaseId = registration.lease?.id;
        const about = { service, address: instance.address, ...(leaseId !== undefined && { leaseId }) };
        report({ kind: "status", report: { ...status, ...about, atMs: nowMs() } });
      });
      break;
    }
    case "deregister": {
      const key = `${command.service} ${command.address}`;
      await registrations.get(key)?.close();
      registrations.delete(key);
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

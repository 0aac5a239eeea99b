/**
 * The program of `startCrowd`: many clients in one process, each with a registry and connections of its own, which registers
 * itself and watches all. It tells how many of them are well.
 */
import { etcd } from "rollcall/etcd";
import type { CrowdPart, CrowdReport } from "./crowd.js";

const { endpoints, ttlMs, service, first, size } = JSON.parse(process.argv[2] ?? "{}") as CrowdPart; // from our own parent

const registered = new Set<number>();
const live = new Map<number, number>();
let told = "";

const tell = () => {
  const report: CrowdReport = {
    registered: registered.size,
    live: live.size,
    smallest: Math.min(...live.values(), Number.MAX_SAFE_INTEGER),
  };
  const text = JSON.stringify(report);
  if (text !== told) process.send?.(report);
  told = text;
};

for (let client = first; client < first + size; client += 1) {
  const registry = etcd({ endpoints, ttlMs, logger: false });
  registry.instancer(service).subscribe((view) => {
    if (view.state === "live") live.set(client, view.instances.length);
    else live.delete(client);
  });
  const address = `10.0.${client >> 8}.${client & 255}:50051`;
  void registry.register(service, { address }, { timeoutMs: Number.POSITIVE_INFINITY }).then((registration) => {
    registration.subscribe(({ state }) => {
      if (state === "registered") registered.add(client);
      else registered.delete(client);
    });
  });
}
setInterval(tell, 100);
process.on("disconnect", () => process.exit());

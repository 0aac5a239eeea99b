/** The laboratory itself: each of its faults is one. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { startLaboratory } from "./lab/laboratory.js";

test("a participant registers and watches, and its processes and faults are under our hand", async () => {
  await using lab = await startLaboratory({ size: 1 });
  const network = await lab.network();
  const server = await lab.participant();
  const client = await lab.participant({ endpoints: network.endpoints });
  await client.watch();
  await server.register({ address: "127.0.0.1:50051" });
  const addresses = () => {
    const view = client.view();
    return view && view.state !== "pending" ? view.instances.map(({ address }) => address) : [];
  };
  await client.until(() => addresses().length === 1);

  await network.set("black-hole");
  await client.until(() => client.view()?.state === "stale");
  expect(addresses()).toEqual(["127.0.0.1:50051"]);
  await network.set("pass");
  await client.until(() => client.view()?.state === "live");

  await network.set("drop-responses");
  await client.until(() => client.view()?.state === "stale");
  await network.set({ delayMs: 50 });
  await client.until(() => client.view()?.state === "live");
  await server.deregister("127.0.0.1:50051");
  await client.until(() => addresses().length === 0);

  await network.set({ bytesPerSecond: 20_000 });
  await server.register({ address: "127.0.0.1:50052" });
  await client.until(() => addresses().length === 1);

  server.pause();
  await sleep(100);
  server.resume();
  await server.close();
  expect(server.statuses.at(-1)?.state).toBe("closed");
  await client.until(() => addresses().length === 0);
});

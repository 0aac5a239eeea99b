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

test("the auditor knows what stood in etcd at every revision, whichever members fail, and tells a wiped cluster from the old", async () => {
  await using lab = await startLaboratory();
  const { cluster } = lab;
  const leader = await cluster.leader();
  const revisionOf = async (...args: readonly string[]) => {
    const { header } = JSON.parse(await leader.etcdctl(...args, "-w", "json")) as { header: { revision: number } };
    return BigInt(header.revision);
  };
  const first = await revisionOf("put", "/services/book/a", "1");
  const auditor = lab.auditor();
  const second = await revisionOf("put", "/services/book/b", "2");
  await auditor.caughtUp();

  const hung = cluster.members.find((member) => member !== leader)!;
  hung.pause();
  const third = await revisionOf("del", "/services/book/a");
  await auditor.until(({ events }) => events.some(({ value }) => value === undefined));
  hung.resume();
  await hung.kill();
  await hung.restart();
  const fourth = await revisionOf("put", "/services/book/a", "3");
  expect(await auditor.caughtUp()).toBe(fourth);
  const standing = (revision: bigint, epoch = 0) =>
    [...auditor.at(revision, epoch)].map(([key, { value }]) => `${key.at(-1)}${value}`);
  expect([first, second, third, fourth].map((revision) => standing(revision))).toEqual([
    ["a1"],
    ["a1", "b2"],
    ["b2"],
    ["b2", "a3"],
  ]);

  await Promise.all(cluster.members.map((member) => member.kill()));
  await Promise.all(cluster.members.map((member) => member.restart({ wipe: true })));
  const anew = await revisionOf("put", "/services/book/c", "4");
  await auditor.until(({ epoch }) => epoch === 1);
  await auditor.caughtUp();
  expect(standing(anew, 1)).toEqual(["c4"]);
  expect(standing(fourth)).toEqual(["b2", "a3"]);
  expect(auditor.events).toHaveLength(5);
});

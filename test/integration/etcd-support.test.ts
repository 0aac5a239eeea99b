import { expect, test, vi } from "vitest";
import { startCluster, startEtcd } from "../support/etcd.js";

test("a member of each line serves, keeps its data over a restart and loses it when wiped", async () => {
  for (const version of ["3.4", "3.5"] as const) {
    await using member = await startEtcd({ version });
    await member.etcdctl("put", "a", "1");
    await member.restart();
    expect(await member.etcdctl("get", "a", "--print-value-only")).toBe("1\n");
    await member.restart({ wipe: true });
    expect(await member.etcdctl("get", "a", "--print-value-only")).toBe("");
  }
});

test("a cluster of three survives the loss of its leader", async () => {
  await using cluster = await startCluster(3);
  const leader = await cluster.leader();
  const [one, other] = cluster.members.filter((member) => member !== leader);
  await leader.kill();
  // What the others are asked before they have a new leader, they answer with a timeout.
  await vi.waitFor(() => one?.etcdctl("put", "a", "1"), { timeout: 50_000, interval: 100 });
  expect(await other?.etcdctl("get", "a", "--print-value-only")).toBe("1\n");
});

import { expect, test } from "vitest";
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

test("a cluster of three survives the loss of one member", async () => {
  await using cluster = await startCluster(3);
  await cluster.members[0]?.kill();
  await cluster.members[1]?.etcdctl("put", "a", "1");
  expect(await cluster.members[2]?.etcdctl("get", "a", "--print-value-only")).toBe("1\n");
});

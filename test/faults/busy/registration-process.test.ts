/** What happens to the process that registered: it stands still, is busy, dies, or is asked to end. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { killAfterDeath } from "../../support/after-death.js";
import { root, startCli } from "../../support/cli.js";
import { disturbance, expectNeverAbsent, keyOf, leases, putAfter } from "../lab/key-history.js";
import { type Auditor, type Laboratory, nowMs, startLaboratory, TTL_MS } from "../lab/laboratory.js";

const BACK_WITHIN_MS = 2_000;
const GONE_WITHIN_MS = 1_000;
/** etcd looks for leases that have ended twice a second, and then agrees on their end. */
const EXPIRY_MS = 1_500;

let lab: Laboratory;
let auditor: Auditor;
beforeAll(async () => {
  lab = await startLaboratory({ size: 1 });
  auditor = lab.auditor();
});
afterAll(() => lab.stop());

async function registered(address: string) {
  const server = await lab.participant();
  const key = keyOf(address);
  await server.register({ address });
  const put = await auditor.event((event) => event.key === key);
  const states = () => server.statuses.map(({ state }) => state);
  return { server, key, put, states };
}

describe.concurrent("a process that stands still", { timeout: 120_000 }, () => {
  test("6: a process stopped for three TTLs is registered again within 2 s of waking", async () => {
    const { server, key, put, states } = await registered("127.0.0.1:50001");
    server.pause();
    await sleep(3 * TTL_MS);
    const gone = await disturbance(auditor, key, put.modRevision);
    server.resume();
    const wokeAtMs = nowMs();
    const back = await putAfter(auditor, gone);
    expect(back.atMs - wokeAtMs).toBeLessThan(BACK_WITHIN_MS);
    expect(back.lease).not.toBe(put.lease);
    await server.until(() => states().at(-1) === "registered");
    expect(states().slice(0, 2)).toEqual(["registered", "lost"]);
  });

  test("35: an event loop blocked for two TTLs is registered again within 2 s of its end", async () => {
    const { server, key, put, states } = await registered("127.0.0.1:50002");
    const freeAtMs = nowMs() + 2 * TTL_MS;
    await server.block(2 * TTL_MS);
    const gone = await disturbance(auditor, key, put.modRevision);
    const back = await putAfter(auditor, gone);
    expect(back.atMs - freeAtMs).toBeLessThan(BACK_WITHIN_MS);
    await server.until(() => states().at(-1) === "registered");
    expect(states().slice(0, 2)).toEqual(["registered", "lost"]);
  });

  test("35: an event loop blocked for half a TTL, again and again, is never absent", async () => {
    const { server, put, states } = await registered("127.0.0.1:50003");
    for (let times = 0; times < 4; times += 1) {
      await server.block(TTL_MS / 2);
      await sleep(TTL_MS / 10);
    }
    await sleep(EXPIRY_MS);
    await expectNeverAbsent(auditor, put);
    expect(states()).not.toContain("lost");
  });
});

describe.concurrent("a process that dies", { timeout: 120_000 }, () => {
  test("10: killed and started again on its address within 1 s, it takes its key over and keeps it", async ({
    expect,
  }) => {
    const address = "127.0.0.1:50004";
    const { server, key, put } = await registered(address);
    const successor = await lab.participant();
    const killedAtMs = nowMs();
    await server.kill();
    await successor.register({ address });
    const taken = await putAfter(auditor, put);
    expect(taken.atMs - killedAtMs).toBeLessThan(BACK_WITHIN_MS);
    await expect.poll(() => leases(lab.cluster), { timeout: TTL_MS + EXPIRY_MS }).not.toContain(put.lease);
    await expectNeverAbsent(auditor, put);
    expect(auditor.at().get(key)).toBe(taken);
    expect(successor.statuses.map(({ state }) => state)).toEqual(["registered"]);
  });

  test("39: a key outlives a killed process by its TTL, and no longer", async () => {
    const { server, key, put } = await registered("127.0.0.1:50005");
    await sleep(TTL_MS);
    const killedAtMs = nowMs();
    await server.kill();
    const gone = await disturbance(auditor, key, put.modRevision);
    expect(gone.atMs - killedAtMs).toBeLessThan(TTL_MS + EXPIRY_MS);
    expect(gone.atMs - killedAtMs).toBeGreaterThan(TTL_MS / 2); // it was renewed a third of its TTL ago at most
  });
});

describe.concurrent("a process that is asked to end", { timeout: 120_000 }, () => {
  test("21: the key of a server is gone within 1 s of SIGTERM", async ({ expect }) => {
    const program = join(root, "dist/examples/book/server.js");
    const child = spawn(
      process.execPath,
      [program, "--listen", "127.0.0.1:0", "--endpoints", lab.cluster.endpoints.join(",")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    if (child.pid !== undefined) child.once("exit", killAfterDeath(child.pid));
    try {
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      const key = keyOf(/on (\S+)/.exec(line.toString())?.[1] ?? "");
      const put = await auditor.event((event) => event.key === key);
      const askedAtMs = nowMs();
      child.kill("SIGTERM");
      const gone = await disturbance(auditor, key, put.modRevision);
      expect(gone.atMs - askedAtMs).toBeLessThan(GONE_WITHIN_MS);
      expect(await once(child, "exit")).toEqual([0, null]);
      await expect.poll(() => leases(lab.cluster)).not.toContain(put.lease);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test.each([
    ["", "127.0.0.1:50006", []],
    [
      " of a command",
      "127.0.0.1:50007",
      [process.execPath, "-e", 'require("net").createServer().listen(50007, "127.0.0.1")'],
    ],
  ])("21: the key of `rollcall register`%s is gone within 1 s of SIGTERM", async (_, address, command) => {
    const trailing = command.length > 0 ? ["--", ...command] : [];
    await using cli = startCli([
      ...[
        "register",
        "book",
        address,
        "--endpoints",
        lab.cluster.endpoints.join(","),
        "--ttl",
        `${TTL_MS}ms`,
        "--json",
      ],
      ...trailing,
    ]);
    const { key } = await cli.event<{ event: string; key: string }>(({ event }) => event === "registered");
    const put = await auditor.event((event) => event.key === key);
    const askedAtMs = nowMs();
    cli.kill("SIGTERM");
    const gone = await disturbance(auditor, key, put.modRevision);
    expect(gone.atMs - askedAtMs).toBeLessThan(GONE_WITHIN_MS);
    await cli.ended;
    expect(cli.events().at(-1)).toEqual({ event: "deregistered" });
  });

  test("6: `rollcall register` stopped for three TTLs is registered again within 2 s of waking", async () => {
    const args = ["register", "book", "127.0.0.1:50008", "--endpoints", lab.cluster.endpoints.join(",")];
    await using cli = startCli([...args, "--ttl", `${TTL_MS}ms`, "--json"]);
    const { key } = await cli.event<{ event: string; key: string }>(({ event }) => event === "registered");
    const put = await auditor.event((event) => event.key === key);
    cli.kill("SIGSTOP");
    await sleep(3 * TTL_MS);
    const gone = await disturbance(auditor, key, put.modRevision);
    cli.kill("SIGCONT");
    const wokeAtMs = nowMs();
    const back = await putAfter(auditor, gone);
    expect(back.atMs - wokeAtMs).toBeLessThan(BACK_WITHIN_MS);
    await cli.event(({ event, leaseId }) => event === "registered" && leaseId === String(back.lease));
    expect(cli.events().map(({ event }) => event)).toContain("lost");
  });
});

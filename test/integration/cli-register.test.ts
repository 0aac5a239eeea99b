/** `rollcall register` without a command, against real etcd. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCli } from "../support/cli.js";
import { type EtcdMember, freePorts, startEtcd } from "../support/etcd.js";

interface Registered {
  readonly event: string;
  readonly key: string;
  readonly leaseId: string;
  readonly ttlMs: number;
  readonly revision: string;
  readonly at: string;
}

const isRegistered = ({ event }: Registered) => event === "registered";

const patiently = { timeout: 20_000 };

let etcd: EtcdMember;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

function register(...args: readonly string[]) {
  return startCli(["register", ...args, "--endpoints", etcd.endpoint]);
}

test("writes what the tutorial writes, and removes it on SIGTERM", async () => {
  await using cli = register("book", "10.0.0.1:50051", "--ttl", "4500ms", "--json");
  const registered = await cli.event(isRegistered);
  const key = "/services/book/10.0.0.1:50051";
  expect(registered).toEqual({
    event: "registered",
    key,
    leaseId: expect.stringMatching(/^\d+$/),
    ttlMs: 5_000,
    revision: expect.stringMatching(/^\d+$/),
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  });
  expect(await etcd.etcdctl("get", key)).toBe(`${key}\n10.0.0.1:50051\n`);
  const stored = JSON.parse(await etcd.etcdctl("get", key, "-w", "json")).kvs[0];
  expect(String(stored.mod_revision)).toBe(registered.revision);
  expect(await etcd.etcdctl("lease", "list")).toContain(BigInt(registered.leaseId).toString(16));

  cli.kill("SIGTERM");
  const { code, stderr } = await cli.ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(cli.events().at(-1)).toEqual({ event: "deregistered" });
  expect(await etcd.etcdctl("get", key)).toBe("");
});

test("says in words what it did, on stderr, and ends on SIGINT too", async () => {
  await using cli = register("book", "10.0.0.2:50051");
  await cli.output(/registered \/services\/book\/10\.0\.0\.2:50051 \(lease [0-9a-f]+, TTL 10 s\)/);
  cli.kill("SIGINT");
  const { code, stdout, stderr } = await cli.ended;
  expect([code, stdout]).toEqual([0, ""]);
  expect(stderr).toMatch(/deregistered \/services\/book\/10\.0\.0\.2:50051\n$/);
});

test("writes its attributes as JSON under the prefix", async () => {
  await using cli = register(
    ...["book", "10.0.0.3:50051", "--weight", "2.5", "--zone", "a", "--meta", "team=x=y", "--meta", "tier=1"],
    ...["--prefix", "/elsewhere/", "--json"],
  );
  await cli.event(isRegistered);
  const value = await etcd.etcdctl("get", "--print-value-only", "/elsewhere/book/10.0.0.3:50051");
  expect(JSON.parse(value)).toMatchObject({ Op: 0, Addr: "10.0.0.3:50051" });
  await using ls = startCli(["ls", "book", "--prefix", "/elsewhere/", "--endpoints", etcd.endpoint, "--json"]);
  await ls.ended;
  expect(ls.events()[0]?.instances).toEqual([
    {
      id: "/elsewhere/book/10.0.0.3:50051",
      address: "10.0.0.3:50051",
      weight: 2.5,
      zone: "a",
      metadata: { team: "x=y", tier: "1" },
    },
  ]);
});

test("tells of the loss of its key and of another owner, and comes back", async () => {
  await using cli = register("book", "10.0.0.4:50051", "--json");
  const { key } = await cli.event(isRegistered);
  await etcd.etcdctl("del", key);
  await cli.event(({ event, reason }) => event === "lost" && typeof reason === "string");
  await expect.poll(() => cli.events().filter(({ event }) => event === "registered").length, patiently).toBe(2);

  const lease = /lease (\w+) granted/.exec(await etcd.etcdctl("lease", "grant", "60"))?.[1] ?? "";
  await etcd.etcdctl("put", key, "10.0.0.4:50051", `--lease=${lease}`);
  expect(await cli.event(({ event }) => event === "superseded")).toEqual({
    event: "superseded",
    by: expect.stringContaining(lease),
  });
  await etcd.etcdctl("lease", "revoke", lease);
  await expect.poll(() => cli.events().filter(({ event }) => event === "registered").length, patiently).toBe(3);
});

describe("when etcd is down", () => {
  test("it gives up after --start-timeout and ends with 1", async () => {
    const [port] = await freePorts(1);
    const startedMs = Date.now();
    const args = ["register", "book", "10.0.0.5:50051", "--endpoints", `127.0.0.1:${port}`, "--start-timeout", "1s"];
    const { code, stdout, stderr } = await startCli(args).ended;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/was not registered within 1000 ms: .*ECONNREFUSED/);
    expect(Date.now() - startedMs).toBeGreaterThan(900);
  });

  test("--start-timeout 0 keeps trying until etcd is there", async () => {
    const [port] = await freePorts(1);
    const endpoints = ["--endpoints", `127.0.0.1:${port}`];
    await using cli = startCli(["register", "book", "10.0.0.6:50051", ...endpoints, "--start-timeout", "0", "--json"]);
    await cli.output(/not registered yet/);
    await using dev = startCli(["dev", "--listen", `127.0.0.1:${port}`]);
    await cli.event(isRegistered);
    await dev[Symbol.asyncDispose]();
  });

  test("it can still be ended while it keeps trying", async () => {
    const [port] = await freePorts(1);
    const endpoints = ["--endpoints", `127.0.0.1:${port}`];
    await using cli = startCli(["register", "book", "10.0.0.6:50051", ...endpoints, "--start-timeout", "0", "--json"]);
    await cli.output(/not registered yet/);
    cli.kill("SIGTERM");
    const { code, stdout } = await cli.ended;
    expect([code, stdout]).toEqual([0, ""]);
  });

  test("SIGTERM ends it before its lease does, with a warning", async () => {
    await using cli = register("book", "10.0.0.7:50051", "--json");
    await cli.event(isRegistered);
    etcd.pause();
    try {
      const askedMs = Date.now();
      cli.kill("SIGTERM");
      const { code, stderr } = await cli.ended;
      expect(Date.now() - askedMs).toBeLessThan(8_000);
      expect(code).toBe(0);
      expect(stderr).toMatch(/book 10\.0\.0\.7:50051 is closed: /);
      expect(cli.events().map(({ event }) => event)).not.toContain("deregistered");
    } finally {
      etcd.resume();
    }
  });
});

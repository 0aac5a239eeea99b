import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type EtcdOptions, etcd } from "rollcall/etcd";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { firstMatch } from "../../src/live.js";
import type { Registration, RegistrationState, Registry } from "../../src/registry/registry.js";
import { type EtcdCluster, type EtcdMember, freePorts, startCluster, startEtcd } from "../support/etcd.js";

const key = "/services/book/127.0.0.1:50051";
const address = "127.0.0.1:50051";

const open: Registry[] = [];

function registryAt(endpoints: readonly string[], options: Partial<EtcdOptions> = {}): Registry {
  const registry = etcd({ endpoints, logger: false, ...options });
  open.push(registry);
  return registry;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
});

interface Stored {
  readonly value: string;
  readonly lease: bigint;
}

async function stored(etcdOf: Pick<EtcdMember, "etcdctl">): Promise<Stored | undefined> {
  const { kvs } = JSON.parse(await etcdOf.etcdctl("get", key, "-w", "json"));
  if (!kvs) return undefined;
  // A lease is an int64: JSON.parse would round it.
  const raw = await etcdOf.etcdctl("get", key, "-w", "fields");
  return {
    value: Buffer.from(kvs[0].value, "base64").toString(),
    lease: BigInt(/"Lease" : (\d+)/.exec(raw)?.[1] ?? 0),
  };
}

const hex = (leaseId: bigint) => leaseId.toString(16);

/** Polls what an operator would look at, until it is so. */
async function eventually<T>(
  look: () => Promise<T>,
  accept: (seen: T) => boolean,
  withinMs = 15_000,
): Promise<{ readonly seen: T; readonly tookMs: number }> {
  const start = performance.now();
  for (;;) {
    const seen = await look();
    const tookMs = performance.now() - start;
    if (accept(seen)) return { seen, tookMs };
    if (tookMs > withinMs) throw new Error(`not so within ${withinMs} ms; last seen: ${String(seen)}`);
    await sleep(20);
  }
}

function reaches(registration: Registration, state: RegistrationState, withinMs = 20_000): Promise<unknown> {
  return firstMatch(registration, (status) => status.state === state, AbortSignal.timeout(withinMs));
}

/** The states it goes through from now on, without repetition. */
function statesOf(registration: Registration): RegistrationState[] {
  const states: RegistrationState[] = [];
  registration.subscribe(({ state }) => {
    if (states.at(-1) !== state) states.push(state);
  });
  return states;
}

describe("a registration in etcd", () => {
  let member: EtcdMember;
  beforeAll(async () => {
    member = await startEtcd();
  });
  afterAll(() => member.stop());
  beforeEach(() => member.etcdctl("del", "--prefix", "/services/"));

  it("writes exactly the tutorial's key and value, on a lease", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    const entry = await stored(member);
    expect(entry?.value).toBe(address);
    expect(entry?.lease).toBe(registration.lease?.id);
    expect(registration.lease?.id).not.toBe(0n);
    expect(registration.instance).toEqual({ id: key, address });
    expect(registration.current).toEqual({ state: "registered" });
    expect(registration.lease?.ttlMs).toBe(10_000);
    expect(JSON.parse(await member.etcdctl("get", "--prefix", "", "--keys-only", "-w", "json")).count).toBe(1);
  });

  it("rounds the TTL up to whole seconds and believes the one that etcd granted", async () => {
    const registry = registryAt([member.endpoint], { ttlMs: 4_200 });
    expect((await registry.register("book", { address })).lease?.ttlMs).toBe(5_000);
    const short = registryAt([member.endpoint], { ttlMs: 1_000 });
    expect((await short.register("book", { address: "127.0.0.1:50052" })).lease?.ttlMs).toBe(2_000);
  });

  it("comes back when its key is deleted", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    const states = statesOf(registration);
    await member.etcdctl("del", key);
    const { seen } = await eventually(
      () => stored(member),
      (entry) => entry !== undefined,
      2_000,
    );
    expect(seen?.lease).toBe(registration.lease?.id);
    await reaches(registration, "registered");
    expect(states).toEqual(["registered", "lost", "registered"]);
  });

  it("comes back, on a new lease, when its lease is revoked", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    const before = registration.lease?.id ?? 0n;
    await member.etcdctl("lease", "revoke", hex(before));
    const { seen } = await eventually(
      () => stored(member),
      (entry) => entry !== undefined,
      2_000,
    );
    expect(seen?.lease).not.toBe(before);
    expect(seen?.lease).not.toBe(0n);
  });

  it("mends a key that a plain put has stripped of its lease", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    await member.etcdctl("put", key, "10.9.9.9:1");
    const { seen } = await eventually(
      () => stored(member),
      (entry) => entry?.lease !== 0n,
      2_000,
    );
    expect(seen).toEqual({ value: address, lease: registration.lease?.id });
  });

  it("puts its value again when somebody changed it under our lease", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    await member.etcdctl("put", key, "10.9.9.9:1", "--ignore-lease");
    const { seen } = await eventually(
      () => stored(member),
      (entry) => entry?.value === address,
      2_000,
    );
    expect(seen?.lease).toBe(registration.lease?.id);
  });

  it("is superseded by the owner of another lease, and claims the key when that one is gone", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    const [, other = ""] = /lease (\w+) granted/.exec(await member.etcdctl("lease", "grant", "600")) ?? [];
    await member.etcdctl("put", key, "theirs", `--lease=${other}`);
    await reaches(registration, "superseded");
    expect(registration.current.by).toContain(other);
    // It respects the other one, for longer than a mending takes.
    await sleep(1_500);
    expect((await stored(member))?.value).toBe("theirs");
    await member.etcdctl("lease", "revoke", other);
    await reaches(registration, "registered");
    expect(await stored(member)).toEqual({ value: address, lease: registration.lease?.id });
  });

  it("never deletes a key that somebody else owns", async () => {
    const registration = await registryAt([member.endpoint]).register("book", { address });
    const [, other = ""] = /lease (\w+) granted/.exec(await member.etcdctl("lease", "grant", "600")) ?? [];
    await member.etcdctl("put", key, "theirs", `--lease=${other}`);
    await registration.close();
    expect((await stored(member))?.value).toBe("theirs");
    expect(await member.etcdctl("lease", "list")).toContain(other);
    await member.etcdctl("lease", "revoke", other);
  });

  it("takes the key over from a predecessor that died without a word", async () => {
    const [, dead = ""] = /lease (\w+) granted/.exec(await member.etcdctl("lease", "grant", "600")) ?? [];
    await member.etcdctl("put", key, address, `--lease=${dead}`);
    const start = performance.now();
    const registration = await registryAt([member.endpoint]).register("book", { address });
    expect(performance.now() - start).toBeLessThan(2_000);
    expect((await stored(member))?.lease).toBe(registration.lease?.id);
    // The lease that we did not grant is left alone, and its end does not take our key with it.
    expect(await member.etcdctl("lease", "list")).toContain(dead);
    await member.etcdctl("lease", "revoke", dead);
    expect((await stored(member))?.lease).toBe(registration.lease?.id);
  });

  it("updates in place, on the same lease, and is not lost meanwhile", async () => {
    const warnings: string[] = [];
    const logger = { info: () => {}, warn: (message: string) => void warnings.push(message) };
    const registration = await registryAt([member.endpoint], { logger }).register("book", { address });
    const states = statesOf(registration);
    const before = registration.lease?.id;
    await registration.update({ weight: 3, zone: "a" });
    const entry = await stored(member);
    expect(JSON.parse(entry?.value ?? "")).toMatchObject({ Addr: address });
    expect(entry?.lease).toBe(before);
    expect(registration.instance).toMatchObject({ address, weight: 3, zone: "a" });
    await registration.update({ weight: 4 });
    await registration.update({});
    expect((await stored(member))?.value).toBe(address);
    expect(states).toEqual(["registered"]);
    expect(warnings.filter((warning) => warning.includes("go-kit"))).toHaveLength(1);
    await expect(registration.update({ weight: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is gone from etcd, lease and all, within a second of close()", async () => {
    const registry = registryAt([member.endpoint]);
    const registration = await registry.register("book", { address });
    const states = statesOf(registration);
    const start = performance.now();
    await registry.close();
    expect(performance.now() - start).toBeLessThan(1_000);
    expect(await stored(member)).toBeUndefined();
    expect(await member.etcdctl("lease", "list")).not.toContain(hex(registration.lease?.id ?? 0n));
    expect(states).toEqual(["registered", "draining", "closed"]);
    await registry.close();
    await registration.close();
    await expect(registration.update({})).rejects.toMatchObject({ code: "CLOSED" });
    await expect(registry.register("book", { address })).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("keeps many registrations apart, each on a lease of its own", async () => {
    const registry = registryAt([member.endpoint], { ttlMs: 2_000 });
    const ports = Array.from({ length: 20 }, (_, index) => 51_000 + index);
    const registrations = await Promise.all(
      ports.map((port) => registry.register("book", { address: `127.0.0.1:${port}` })),
    );
    expect(new Set(registrations.map(({ lease }) => lease?.id)).size).toBe(20);
    await registrations[0]?.close();
    await sleep(5_000); // more than two TTLs
    const left = await member.etcdctl("get", "--prefix", "/services/book/", "--keys-only");
    expect(left.match(/127\.0\.0\.1:51\d\d\d/g)).toHaveLength(19);
    expect(registrations.slice(1).every(({ current }) => current.state === "registered")).toBe(true);
  });

  it.each([
    ["", address],
    ["a/b", address],
    ["a b", address],
    ["book", "127.0.0.1"],
    ["book", "127.0.0.1:0"],
    ["book", "0.0.0.0:50051"],
    ["book", "[::]:50051"],
    ["book", "http://127.0.0.1:80"],
  ])("refuses service %j at %j and writes nothing", async (service, where) => {
    const registry = registryAt([member.endpoint]);
    await expect(registry.register(service, { address: where })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await member.etcdctl("get", "--prefix", "/services/")).toBe("");
  });
});

describe("a registration whose etcd fails", () => {
  let member: EtcdMember;
  beforeEach(async () => {
    member = await startEtcd();
  });
  afterEach(() => member.stop());

  it("rejects in time when etcd is down, and leaves nothing behind", async () => {
    await member.kill();
    const registry = registryAt([member.endpoint]);
    const start = performance.now();
    const failure = await registry.register("book", { address }, { timeoutMs: 2_000 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "REGISTRY_UNAVAILABLE" });
    expect(String(failure)).toContain(member.endpoint);
    expect(performance.now() - start).toBeLessThan(2_500);
    await member.restart();
    await sleep(1_000);
    expect(await member.etcdctl("get", "--prefix", "/services/")).toBe("");
  });

  it("can be given up by a signal", async () => {
    member.pause();
    const registry = registryAt([member.endpoint]);
    const giveUp = new AbortController();
    const registering = registry.register("book", { address }, { signal: giveUp.signal, timeoutMs: Infinity });
    setTimeout(() => giveUp.abort(new Error("enough")), 300);
    await expect(registering).rejects.toThrow("enough");
    member.resume();
  });

  it("keeps trying without end when told so, and registers when etcd comes", async () => {
    await member.kill();
    const registry = registryAt([member.endpoint]);
    const registering = registry.register("book", { address }, { timeoutMs: Number.POSITIVE_INFINITY });
    await sleep(3_000);
    await member.restart();
    const registration = await registering;
    expect((await stored(member))?.lease).toBe(registration.lease?.id);
  });

  it.each(["paused", "killed"] as const)("is there again after etcd was %s for longer than the TTL", async (fault) => {
    const registration = await registryAt([member.endpoint], { ttlMs: 2_000 }).register("book", { address });
    const states = statesOf(registration);
    if (fault === "paused") member.pause();
    else await member.kill();
    await reaches(registration, "lost");
    await sleep(2_000);
    if (fault === "paused") member.resume();
    else await member.restart();
    await reaches(registration, "registered");
    await sleep(3_000); // a TTL and what etcd takes to end a lease: what it kept must not vanish late
    expect((await stored(member))?.lease).toBe(registration.lease?.id);
    expect(states.slice(0, 3)).toEqual(["registered", "suspect", "lost"]);
    expect(states.at(-1)).toBe("registered");
  });

  it("registers again when etcd came back with nothing", async () => {
    const registration = await registryAt([member.endpoint], { ttlMs: 2_000 }).register("book", { address });
    await member.kill();
    await member.restart({ wipe: true });
    const { seen } = await eventually(
      () => stored(member),
      (entry) => entry !== undefined,
    );
    await reaches(registration, "registered");
    expect(seen?.lease).toBe(registration.lease?.id);
  });

  it("closes in time when etcd is down, with a warning", async () => {
    const warnings: string[] = [];
    const logger = { info: () => {}, warn: (message: string) => void warnings.push(message) };
    const registry = registryAt([member.endpoint], { logger });
    const registration = await registry.register("book", { address });
    await member.kill();
    const start = performance.now();
    await registration.close();
    expect(performance.now() - start).toBeLessThan(2_500);
    expect(registration.current.state).toBe("closed");
    expect(warnings.at(-1)).toMatch(/lease ends it within 10000 ms/);
  });
});

describe("a registration in a cluster of three", () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startCluster(3);
  });
  afterAll(() => cluster.stop());

  it("is never absent while any one member hangs", async () => {
    const registry = registryAt(cluster.endpoints, { ttlMs: 5_000 });
    const registration = await registry.register("book", { address });
    const before = registration.lease?.id;
    for (const member of cluster.members) {
      const well = cluster.members.find((other) => other !== member)!;
      member.pause();
      const until = performance.now() + 8_000;
      while (performance.now() < until) {
        const entry = await stored(well).catch(() => "no leader" as const);
        expect(entry).toBeDefined();
        await sleep(100);
      }
      member.resume();
    }
    expect(registration.lease?.id).toBe(before);
    expect((await stored(cluster))?.lease).toBe(before);
  });
});

describe("a program that registers", () => {
  let member: EtcdMember;
  beforeAll(async () => {
    member = await startEtcd();
  });
  afterAll(() => member.stop());

  it("ends by itself after close()", async () => {
    const program = registrar(member.endpoint, "2000", "close");
    const [code] = await once(program.child, "exit", { signal: AbortSignal.timeout(20_000) });
    expect(program.lines()).toEqual(["registered", "draining", "closed", "end"]);
    expect(code).toBe(0);
    expect(await stored(member)).toBeUndefined();
  });

  it("is told that etcd is down, and does not end before", async () => {
    const [port] = await freePorts(1);
    const program = registrar(`127.0.0.1:${port}`, "2000", "close");
    await once(program.child, "exit", { signal: AbortSignal.timeout(20_000) });
    expect(program.lines()[0]).toContain("failed: book 127.0.0.1:50051 was not registered within 3000 ms");
    expect(program.lines().at(-1)).toBe("end");
  });

  it("registers again after it was stopped for longer than its TTL", async () => {
    const program = registrar(member.endpoint, "2000");
    try {
      await eventually(
        async () => program.lines(),
        (lines) => lines.includes("registered"),
      );
      const before = (await stored(member))?.lease;
      program.child.kill("SIGSTOP");
      await eventually(
        () => stored(member),
        (entry) => entry === undefined,
      );
      await sleep(2_000);
      program.child.kill("SIGCONT");
      const { seen } = await eventually(
        () => stored(member),
        (entry) => entry !== undefined,
        4_000,
      );
      expect(seen?.lease).not.toBe(before);
      await eventually(
        async () => program.lines(),
        (lines) => lines.at(-1) === "registered",
      );
      expect(program.lines()).toContain("lost");
    } finally {
      program.child.kill("SIGKILL");
    }
  });
});

function registrar(...args: readonly string[]) {
  const [endpoint = "", ...rest] = args;
  const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const child = spawn(
    process.execPath,
    ["--import", file("../support/typescript-loader.mjs"), file("../support/registrar.ts"), endpoint, address, ...rest],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { child, lines: () => output.split("\n").filter((line) => line !== "") };
}

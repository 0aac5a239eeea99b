/** The first registration and the last word of a program whose etcd is away. What comes between is in `test/faults/`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type EtcdMember, freePorts, startEtcd } from "../support/etcd.js";
import { address, registryAt, stored } from "../support/registrations.js";

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
    expect(performance.now() - start).toBeLessThan(8_000);
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

  it("closes in time when etcd is down, with a warning", async () => {
    const warnings: string[] = [];
    const logger = { info: () => {}, warn: (message: string) => void warnings.push(message) };
    const registry = registryAt([member.endpoint], { logger });
    const registration = await registry.register("book", { address });
    await member.kill();
    const start = performance.now();
    await registration.close();
    expect(performance.now() - start).toBeLessThan(8_000);
    expect(registration.current.state).toBe("closed");
    expect(warnings.at(-1)).toMatch(/lease ends it within 10000 ms/);
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
    const [code] = await once(program.child, "exit", { signal: AbortSignal.timeout(50_000) });
    expect(program.lines()).toEqual(["registered", "draining", "closed", "end"]);
    expect(code).toBe(0);
    expect(await stored(member)).toBeUndefined();
  });

  it("is told that etcd is down, and does not end before", async () => {
    const [port] = await freePorts(1);
    const program = registrar(`127.0.0.1:${port}`, "2000", "close");
    await once(program.child, "exit", { signal: AbortSignal.timeout(50_000) });
    expect(program.lines()[0]).toContain("failed: book 127.0.0.1:50051 was not registered within 3000 ms");
    expect(program.lines().at(-1)).toBe("end");
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

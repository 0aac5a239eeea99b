/** The demo as users run it, `node scripts/run.mjs cli demo`, with `--json`: it shows what it promises and leaves nothing behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { etcd } from "rollcall/etcd";
import { afterEach, describe, expect, test, vi } from "vitest";
import { startEtcd } from "../support/etcd.js";

const runner = fileURLToPath(new URL("../../scripts/run.mjs", import.meta.url));

interface Line {
  readonly event: string;
  readonly [field: string]: unknown;
}

interface Run {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly lines: readonly Line[];
  readonly complaints: readonly string[];
  /** Resolves with the first line of that event. */
  said(event: string): Promise<Line>;
  /** Resolves with exit code and signal once its output was read. */
  readonly ended: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
  /** A folder of its own for temporary files. */
  readonly folder: string;
}

const runs: Run[] = [];

afterEach(async () => {
  for (const { child, folder, ended } of runs.splice(0)) {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
});

async function demo(...args: readonly string[]): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-demo-test-"));
  const child = spawn(process.execPath, [runner, "cli", "demo", "--json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: folder },
  });
  const lines: Line[] = [];
  const complaints: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)));
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (!/^rollcall: (building|installing)/.test(line)) complaints.push(line);
  });
  const ended = once(child, "close") as Promise<unknown> as Run["ended"]; // "close" has these two arguments
  const said = async (event: string) => {
    const heard = vi.waitUntil(() => lines.find((line) => line.event === event), { timeout: 60_000 });
    const early = ended.then(() => {
      throw new Error([`the demo ended without "${event}"`, ...complaints].join("\n"));
    });
    return Promise.race([heard, early]);
  };
  const run = { child, lines, complaints, said, ended, folder };
  runs.push(run);
  return run;
}

function of(run: Run, event: string): readonly Line[] {
  return run.lines.filter((line) => line.event === event);
}

/** Also one that has ended and that nobody has taken note of. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  const stat = `/proc/${pid}/stat`;
  return existsSync("/proc/self/stat") && (!existsSync(stat) || /\) Z /.test(readFileSync(stat, "utf8")));
}

async function expectNothingLeft(run: Run): Promise<void> {
  const started = of(run, "process");
  expect(started.length).toBeGreaterThan(0);
  await vi.waitFor(
    () => expect(started.filter(({ pid }) => !isGone(pid as number)).map(({ name }) => name)).toEqual([]),
    { timeout: 15_000, interval: 100 },
  );
  await vi.waitFor(async () => expect(await readdir(run.folder)).toEqual([]), { timeout: 5_000 });
}

async function expectPlayed(run: Run): Promise<void> {
  const [code] = await run.ended;
  const [summary] = of(run, "summary");
  expect({ code, summary, complaints: run.complaints }).toMatchObject({
    code: 0,
    summary: { failed: 0, ok: true },
    complaints: [],
  });
  const answers = of(run, "call").map(({ address }) => address);
  const perInstance = [...new Set(answers)].map((address) => answers.filter((each) => each === address).length);
  expect(answers).toHaveLength(8);
  expect(perInstance.sort()).toEqual([2, 3, 3]);
  expect(of(run, "call")[0]).toMatchObject({ number: 1, reply: "hello Allen you are 21 old?" });
  expect(of(run, "call-failed")).toEqual([]);
  expect(of(run, "server").map(({ change }) => change)).toEqual(
    expect.arrayContaining(["killed", "draining", "stopped", "restarted", "joined"]),
  );
  expect(of(run, "snapshot").length).toBeGreaterThan(10);
  expect(summary?.elapsedMs).toBeLessThan(30_000);
}

// A demo takes up to 30 s, and the first one may have to build the package.
describe("rollcall demo", { timeout: 120_000 }, () => {
  test("two at once play on embedded registries without a failed call, each with servers of its own", async () => {
    const both = await Promise.all([demo(), demo()]);
    for (const run of both) await expectPlayed(run);
    const addresses = both.map((run) => new Set(of(run, "server").map(({ address }) => address)));
    expect([...(addresses[0] ?? [])].filter((address) => addresses[1]?.has(address))).toEqual([]);
    for (const run of both) await expectNothingLeft(run);
  });

  test("names a stranger that registers as the demo's service while it plays", async () => {
    await using member = await startEtcd();
    await using registry = etcd({ endpoints: [member.endpoint] });
    const run = await demo("--endpoints", member.endpoint);
    await run.said("steady");
    await registry.register("book", { address: "127.0.0.1:1" });
    expect(await run.ended).toEqual([1, null]);
    expect(JSON.stringify(of(run, "summary")[0]?.findings)).toContain("127.0.0.1:1 did");
    await expectNothingLeft(run);
  });

  test("--cluster kills the leader of three members too, without a failed call", async () => {
    const run = await demo("--cluster");
    await expectPlayed(run);
    const [members] = of(run, "members");
    for (const name of ["machine-1", "machine-2", "machine-3"]) expect(String(members?.list)).toContain(name);
    expect(of(run, "leader")[0]?.name).not.toBe(of(run, "member-killed")[0]?.name);
    await expectNothingLeft(run);
  });

  test("--endpoints leaves no key in the user's etcd", async () => {
    await using member = await startEtcd();
    const run = await demo("--endpoints", member.endpoint);
    await expectPlayed(run);
    expect(await member.etcdctl("get", "", "--prefix", "--keys-only")).toBe("");
    expect(await member.etcdctl("lease", "list")).toContain("found 0 leases");
    await expectNothingLeft(run);
  });

  test("--endpoints refuses an etcd in which somebody offers the same service", async () => {
    await using member = await startEtcd();
    await using registry = etcd({ endpoints: [member.endpoint] });
    await registry.register("book", { address: "10.0.0.1:50051" });
    const run = await demo("--endpoints", member.endpoint);
    expect(await run.ended).toEqual([2, null]);
    expect(run.complaints.join("\n")).toContain("10.0.0.1:50051");
    expect(of(run, "server")).toEqual([]);
    await expectNothingLeft(run);
  });

  test("ends with 1 and says so when etcd does not answer", async () => {
    const run = await demo("--endpoints", "127.0.0.1:1");
    expect(await run.ended).toEqual([1, null]);
    expect(run.complaints.join("\n")).toContain("127.0.0.1:1");
    await expectNothingLeft(run);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s stops everything, members of etcd included", async (signal, exitCode) => {
    const run = await demo("--cluster");
    await run.said("steady");
    run.child.kill(signal);
    expect(await run.ended).toEqual([exitCode, null]);
    expect(of(run, "interrupted")).toMatchObject([{ signal }]);
    await expectNothingLeft(run);
  });

  test("a demo that is killed leaves nothing running either", async () => {
    const run = await demo("--cluster");
    await run.said("steady");
    run.child.kill("SIGKILL");
    expect(await run.ended).toEqual([null, "SIGKILL"]);
    await expectNothingLeft(run);
  });
});

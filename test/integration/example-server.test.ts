/** `npm run --silent example:server`, as a supervisor or a script runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { firstMatch } from "rollcall";
import { type EmbeddedRegistry, startEmbedded } from "rollcall/embedded";
import { etcd } from "rollcall/etcd";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../support/cli.js";

let registry: EmbeddedRegistry;
beforeAll(async () => {
  registry = await startEmbedded();
});
afterAll(() => registry?.close());

function exampleServer(...args: readonly string[]) {
  const child = spawn("npm", ["run", "--silent", "example:server", "--", ...args], { cwd: root });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const started = async () => {
    while (!stdout.endsWith("\n")) await once(child.stdout, "data");
  };
  const ended = once(child, "close").then(([code]) => {
    // A source that somebody saved since the tests began is built first.
    return { code, stdout, stderr: stderr.replace("rollcall: building …\n", "") };
  });
  return { child, started, ended };
}

/** The process that npm started. */
function childOf({ pid }: ChildProcess): number {
  const found = readdirSync("/proc").find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return new RegExp(`^PPid:\\s${pid}$`, "m").test(readFileSync(`/proc/${name}/status`, "utf8"));
    } catch {
      return false; // it has ended meanwhile
    }
  });
  return Number(found);
}

test.each(["npm", "what npm started"])("drains and ends with 0 on SIGTERM to %s", async (whom) => {
  await using watching = etcd({ endpoints: [registry.endpoint] });
  const view = watching.instancer("book");
  const { child, started, ended } = exampleServer("--listen", "127.0.0.1:0", "--endpoints", registry.endpoint);
  const live = await firstMatch(view, (now) => now.state === "live" && now.instances.length === 1);
  await started();
  const address = live.state === "live" ? live.instances[0]?.address : undefined;
  process.kill(whom === "npm" ? Number(child.pid) : childOf(child), "SIGTERM");
  expect(await ended).toEqual({ code: 0, stdout: `book server on ${address}\n`, stderr: "" });
  await firstMatch(view, (now) => now.state === "live" && now.instances.length === 0);
});

describe("what it cannot use it says in one line, and ends with 2", () => {
  test.each([
    [["--port", "1"], "Unknown option '--port'"],
    [["--listen", "50051"], "must be host:port"],
    [["--endpoints", "10.0.0.1"], "has no port"],
  ])("%j", async (args, complaint) => {
    const { code, stdout, stderr } = await exampleServer(...args).ended;
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr).toContain(complaint);
  });
});

test("--help lists its options", async () => {
  const { code, stdout, stderr } = await exampleServer("--help").ended;
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^options: --listen host:port .*--endpoints/);
});

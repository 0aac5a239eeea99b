/** `rollcall register … -- command`: the server starts, is registered, is deregistered, ends; in this order. */

import { connect } from "node:net";
import { firstMatch } from "rollcall";
import { type EmbeddedRegistry, startEmbedded } from "rollcall/embedded";
import { etcd } from "rollcall/etcd";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startCli } from "../support/cli.js";
import { freePorts } from "../support/etcd.js";

let registry: EmbeddedRegistry;
beforeAll(async () => {
  registry = await startEmbedded();
});
afterAll(() => registry?.close());

/** A server in the language that is at hand. `argv`: port, delay before it listens, what it does on SIGTERM. */
const server = `
  const [port, delayMs, onTerm] = process.argv.slice(1);
  process.on("SIGTERM", () => {
    console.log("got SIGTERM at " + Date.now());
    if (onTerm !== "ignore") process.exit(Number(onTerm));
  });
  console.log("started pid " + process.pid);
  setTimeout(() => require("net").createServer().listen(Number(port), "127.0.0.1"), Number(delayMs));
`;

async function start(options: readonly string[], { delayMs = 0, onTerm = "0" } = {}) {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const child = [process.execPath, "-e", server, String(port), String(delayMs), onTerm];
  const cli = startCli(["register", "book", address, "--endpoints", registry.endpoint, ...options, "--", ...child]);
  const pid = Number((await cli.output(/started pid (\d+)/))[1]);
  pids.push(pid);
  return { cli, address, pid };
}

/** A command outlives a rollcall that went wrong; no test leaves one behind. */
const pids: number[] = [];
afterEach(() => {
  for (const pid of pids.splice(0)) if (alive(pid)) process.kill(pid, "SIGKILL");
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether it still listens: a killed process is there until its new parent has taken notice, its sockets are not. */
function accepts(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Follows the view and notes when each address came and went. */
function follow() {
  const watching = etcd({ endpoints: [registry.endpoint] });
  const view = watching.instancer("book");
  const holds = (address: string) => (membership: typeof view.current) =>
    membership.state === "live" && membership.instances.some((instance) => instance.address === address);
  return {
    came: (address: string) => firstMatch(view, holds(address)),
    went: async (address: string) => {
      await firstMatch(view, (membership) => !holds(address)(membership));
      return Date.now();
    },
    [Symbol.asyncDispose]: () => watching.close(),
  };
}

test("registers when the address accepts connections, and ends the command after everybody could know", async () => {
  await using view = follow();
  const { cli, address } = await start(["--json"], { delayMs: 700, onTerm: "7" });
  await using _ = cli;
  expect(cli.events()).toEqual([]);
  await cli.event(({ event }) => event === "registered");
  await view.came(address);

  const wentAt = view.went(address);
  cli.kill("SIGTERM");
  const { code, stdout, stderr } = await cli.ended;
  expect(code).toBe(7);
  const termAt = Number(/got SIGTERM at (\d+)/.exec(stderr)?.[1]);
  expect(termAt - (await wentAt)).toBeGreaterThan(250); // of 1,000; the news takes its time on a busy machine
  expect(stdout).not.toContain("started");
  expect(cli.events().map(({ event }) => event)).toEqual(["registered", "deregistered"]);
});

test("leaves stdout to the command without --json", async () => {
  const { cli } = await start([]);
  await using _ = cli;
  await cli.output(/^registered /m);
  cli.kill("SIGINT");
  await cli.ended;
  expect(cli.stdout).toMatch(/^started pid \d+\n$/);
});

test("exits with the command's code when it ends by itself, and leaves no key behind", async () => {
  await using view = follow();
  const { cli, address, pid } = await start(["--json"], { onTerm: "9" });
  await using _ = cli;
  await cli.event(({ event }) => event === "registered");
  await view.came(address);
  process.kill(pid, "SIGTERM");
  expect((await cli.ended).code).toBe(9);
  await view.went(address);
  expect(cli.events().at(-1)).toEqual({ event: "deregistered" });
});

test("exits with 128 and the signal when the command is killed", async () => {
  const { cli, pid } = await start(["--json"]);
  await using _ = cli;
  process.kill(pid, "SIGKILL");
  expect((await cli.ended).code).toBe(137);
});

test("passes a signal on that comes before the command listens", async () => {
  const { cli } = await start(["--json"], { delayMs: 60_000, onTerm: "5" });
  await using _ = cli;
  cli.kill("SIGTERM");
  const { code, stdout } = await cli.ended;
  expect([code, stdout]).toEqual([5, ""]);
});

test("gives up on a command that never listens, and takes it along", async () => {
  const { cli, pid } = await start(["--json", "--start-timeout", "3s"], { delayMs: 60_000 });
  await using _ = cli;
  const { code, stdout, stderr } = await cli.ended;
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("did not accept connections");
  expect(alive(pid)).toBe(false);
});

test("gives up on one that ignores SIGTERM too", async () => {
  const { cli, pid } = await start(["--json", "--start-timeout", "3s"], { delayMs: 60_000, onTerm: "ignore" });
  await using _ = cli;
  const { code, stderr } = await cli.ended;
  expect([code, alive(pid)]).toEqual([1, false]);
  expect(stderr).toContain("got SIGTERM");
});

test("ends the command when etcd cannot be reached", async () => {
  const [port] = await freePorts(1);
  const { cli, pid } = await start(["--start-timeout", "1s", "--endpoints", `127.0.0.1:${port}`]);
  await using _ = cli;
  const { code, stderr } = await cli.ended;
  expect(code).toBe(1);
  expect(stderr).toContain("was not registered within 1000 ms");
  expect(alive(pid)).toBe(false);
});

test("a second signal ends both at once", async () => {
  const { cli, address } = await start(["--json"], { onTerm: "ignore" });
  await using _ = cli;
  await cli.event(({ event }) => event === "registered");
  cli.kill("SIGTERM");
  await cli.output(/got SIGTERM/);
  cli.kill("SIGTERM");
  expect((await cli.ended).code).toBe(143);
  await expect.poll(() => accepts(address), { timeout: 10_000 }).toBe(false);
});

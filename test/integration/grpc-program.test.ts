/** The tutorial's server as a program, on a real etcd: what its signals and its failures look like from outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { firstMatch, type Membership } from "rollcall";
import { etcd } from "rollcall/etcd";
import { grpcClient } from "rollcall/grpc";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Test } from "../../examples/book/book_pb.js";
import { type EtcdMember, freePorts, startEtcd } from "../support/etcd.js";

const loader = new URL("../support/typescript-loader.mjs", import.meta.url).href;
const program = (name: string) => fileURLToPath(new URL(`../../examples/book/${name}.ts`, import.meta.url));

let member: EtcdMember;
const children = new Set<ChildProcess>();
beforeAll(async () => {
  member = await startEtcd();
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});
afterAll(() => member.stop());

interface Program {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Resolves when stdout holds this. */
  says(text: string): Promise<void>;
}

function run(name: string, ...args: readonly string[]): Program {
  const child = spawn(process.execPath, ["--import", loader, program(name), ...args]);
  children.add(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    exit: once(child, "exit").then(([code, signal]) => ({ code, signal })),
    async says(text) {
      while (!stdout.includes(text)) {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${stderr}`);
        await once(child.stdout, "data");
      }
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

const isEmpty = (view: Membership) => view.state === "live" && view.instances.length === 0;

const keys = () => member.etcdctl("get", "--prefix", "/services/book/");

test("writes the tutorial's key and value, answers, and is gone from etcd before it ends on SIGTERM", async () => {
  const server = run("server", "--listen", "127.0.0.1:0", "--endpoints", member.endpoint);
  await server.says("book server on ");
  const [, address = ""] = /on (\S+)/.exec(server.stdout()) ?? [];
  expect((await keys()).trim().split("\n")).toEqual([`/services/book/${address}`, address]);

  const registry = etcd({ endpoints: [member.endpoint] });
  const book = grpcClient(Test, { registry, service: "book" });
  expect((await book.test({ a: "Allen", b: 21n })).v).toBe("hello Allen you are 21 old?");

  server.child.kill("SIGTERM");
  await firstMatch(book.membership, isEmpty);
  expect(server.child.exitCode).toBeNull(); // it waits for others to notice
  expect((await keys()).trim()).toBe("");
  expect(await server.exit).toEqual({ code: 0, signal: null });
  await book.close();
  await registry.close();
});

test("ends at once on a second signal", async () => {
  const server = run("server", "--listen", "127.0.0.1:0", "--endpoints", member.endpoint);
  await server.says("book server on ");
  const registry = etcd({ endpoints: [member.endpoint] });
  const instancer = registry.instancer("book");
  await firstMatch(instancer, (view) => view.state === "live" && view.instances.length === 1);
  server.child.kill("SIGINT");
  await firstMatch(instancer, isEmpty); // from here on it waits a second for others to notice
  server.child.kill("SIGINT");
  expect(await server.exit).toEqual({ code: null, signal: "SIGINT" });
  await registry.close();
});

test("says that its port is taken, ends with 1 and registers nothing", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const server = run("server", "--listen", `127.0.0.1:${port}`, "--endpoints", member.endpoint);
  expect((await server.exit).code).toBe(1);
  expect(server.stderr()).toContain(`cannot listen on 127.0.0.1:${port}`);
  expect((await keys()).trim()).toBe("");
  other.close();
});

test("says that etcd cannot be reached and ends with 1", async () => {
  const [port] = await freePorts(1);
  const server = run("server", "--listen", "127.0.0.1:0", "--endpoints", `127.0.0.1:${port}`);
  expect((await server.exit).code).toBe(1);
  expect(server.stderr()).toContain(`127.0.0.1:${port}`);
});

test("a signal while etcd does not answer yet ends it, with nothing registered", async () => {
  member.pause();
  const [port = 0] = await freePorts(1);
  const server = run("server", "--listen", `127.0.0.1:${port}`, "--endpoints", member.endpoint);
  while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  server.child.kill("SIGTERM");
  expect((await server.exit).code).toBe(1);
  expect(server.stderr()).toContain("stopped by SIGTERM");
  member.resume();
  expect((await keys()).trim()).toBe("");
});

test("the tutorial's clients make their calls over whatever servers there are", async () => {
  const servers = [1, 2, 3].map(() => run("server", "--listen", "127.0.0.1:0", "--endpoints", member.endpoint));
  await Promise.all(servers.map((server) => server.says("book server on ")));
  const client = run("client", "--endpoints", member.endpoint);
  expect((await client.exit).code).toBe(0);
  expect(client.stdout()).toBe("hello Allen you are 21 old?\n".repeat(8));

  const byHand = run("by-hand", "--endpoints", member.endpoint);
  expect((await byHand.exit).code).toBe(0);
  const counts = servers.map((server) => {
    const [, address] = /on (\S+)/.exec(server.stdout()) ?? [];
    return byHand.stdout().split(`→ ${address}\n`).length - 1;
  });
  expect(counts.toSorted()).toEqual([2, 3, 3]);
});

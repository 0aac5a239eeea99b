/** `rollcall watch` and `rollcall ls`, through outages of real etcd and readers that are slow or gone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Authority, createAuthority } from "../support/certificates.js";
import { type CliProcess, root, runCli, startCli } from "../support/cli.js";
import { type EtcdMember, freePorts, startEtcd } from "../support/etcd.js";
import { put as putWith, quietClient } from "../support/etcd-calls.js";

interface View {
  readonly state: string;
  readonly revision: string | null;
  readonly instances: readonly { readonly id: string; readonly address: string }[];
  readonly at: string;
}

const patiently = { timeout: 20_000 };

let etcd: EtcdMember;
beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd?.stop());

const put = (service: string, address: string) => etcd.etcdctl("put", `/services/${service}/${address}`, address);
const lastView = (cli: CliProcess) => cli.events().at(-1) as unknown as View | undefined;

test("watch prints every view, from pending on, and ends on SIGTERM with 0", async () => {
  await using cli = startCli(["watch", "book", "--endpoints", etcd.endpoint, "--json"]);
  await cli.event<View>(({ state }) => state === "live");
  await put("book", "10.0.0.1:50051");
  const view = await cli.event<View>(({ instances }) => instances.length === 1);
  expect(view).toEqual({
    state: "live",
    revision: expect.stringMatching(/^\d+$/),
    instances: [{ id: "/services/book/10.0.0.1:50051", address: "10.0.0.1:50051" }],
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  });
  await put("bookstore", "10.0.0.9:50051");
  await etcd.etcdctl("del", "/services/book/10.0.0.1:50051");
  await expect.poll(() => lastView(cli), patiently).toMatchObject({ state: "live", instances: [] });
  expect(BigInt(lastView(cli)?.revision ?? 0)).toBeGreaterThan(BigInt(view.revision ?? 0));
  expect(cli.events()[0]).toMatchObject({ state: "pending", revision: null, instances: [] });

  cli.kill("SIGTERM");
  expect(await cli.ended).toMatchObject({ code: 0, stderr: "" });
  expect(lastView(cli)).toMatchObject({ state: "live" });
});

test("watch says to people why it is pending", async () => {
  const [port] = await freePorts(1);
  await using cli = startCli(["watch", "book", "--endpoints", `127.0.0.1:${port}`]);
  await cli.output(/book {2}pending: etcd has not been heard yet \(.*connect ECONNREFUSED/);
});

test("watch prints a table for people, without colours where nobody sees them", async () => {
  await put("table", "10.0.0.1:50051");
  await using cli = startCli(["watch", "table"], { env: { ETCDCTL_ENDPOINTS: `http://${etcd.endpoint}` } });
  await cli.output(/table {2}live at revision \d+: 1 instance\n {2}ADDRESS +KEY\n {2}10\.0\.0\.1:50051 +\/services/);
  expect(cli.stdout).not.toContain("\u001b");
});

test("watch starts pending while etcd is down, and is live when etcd comes", async () => {
  const [port] = await freePorts(1);
  await using cli = startCli(["watch", "book", "--endpoints", `127.0.0.1:${port}`, "--json"]);
  await cli.output(/is not known yet/);
  expect(cli.events()).toMatchObject([{ state: "pending", revision: null, instances: [] }]);
  await using dev = startCli(["dev", "--listen", `127.0.0.1:${port}`]);
  await cli.event<View>(({ state }) => state === "live");
  dev.kill("SIGTERM");
});

test("watch keeps the last instances through an outage, and sees what happened meanwhile", async () => {
  await using own = await startEtcd();
  await own.etcdctl("put", "/services/book/10.0.0.1:50051", "10.0.0.1:50051");
  await using cli = startCli(["watch", "book", "--endpoints", own.endpoint, "--json"]);
  const live = await cli.event<View>(({ instances }) => instances.length === 1);
  await own.kill();
  const stale = await cli.event<View>(({ state }) => state === "stale");
  expect(stale).toMatchObject({ revision: live.revision, instances: live.instances });
  await own.restart();
  await own.etcdctl("put", "/services/book/10.0.0.2:50051", "10.0.0.2:50051");
  await cli.event<View>(({ state, instances }) => state === "live" && instances.length === 2);
  const sinceLive = (cli.events() as unknown as View[]).slice(cli.events().findIndex(({ state }) => state === "live"));
  expect(sinceLive.map(({ state }) => state)).not.toContain("pending");
  expect(sinceLive.slice(1).filter(({ instances }) => instances.length === 0)).toEqual([]);
});

describe("the reader of stdout", () => {
  // Each view has some 30 kB, so that a few fill the pipe; each is a view of its own, being more than 10 ms after the last.
  async function changeOften(times: number): Promise<void> {
    await using client = quietClient([etcd.endpoint]);
    for (let n = 1; n <= times; n += 1) {
      const value = { Op: 0, Addr: "10.0.0.1:50051", Metadata: { n: String(n), ballast: "x".repeat(30_000) } };
      await putWith(client, "/services/slow/10.0.0.1:50051", JSON.stringify(value));
      await delay(15);
    }
  }

  test("that is slow finds the newest view after what the pipe held", async () => {
    await using cli = startCli(["watch", "slow", "--endpoints", etcd.endpoint, "--json"], { unread: true });
    await changeOften(60);
    const seen: unknown[] = [];
    for await (const line of createInterface({ input: cli.child.stdout as Readable })) {
      const { instances } = JSON.parse(line);
      seen.push(instances[0]?.metadata.n);
      if (seen.at(-1) === "60") break;
    }
    expect(seen.length).toBeLessThan(30);
  });

  test("that does not read at all keeps nobody from ending it", async () => {
    await using cli = startCli(["watch", "slow", "--endpoints", etcd.endpoint, "--json"], { unread: true });
    await once(cli.child.stdout as Readable, "readable");
    await changeOften(20);
    cli.kill("SIGTERM");
    expect((await cli.ended).code).toBe(0);
  });

  test("that has gone ends it quietly", async () => {
    const command = `"${process.execPath}" dist/src/cli/main.js watch book --endpoints ${etcd.endpoint} --json | head -1`;
    const shell = spawn("bash", ["-c", `${command}; echo "codes \${PIPESTATUS[@]}"`], { cwd: root });
    let output = "";
    for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (chunk) => (output += chunk));
    const ended = new Promise((resolve) => shell.once("close", resolve));
    await expect.poll(() => output, patiently).toContain("pending");
    await put("book", "10.0.0.5:50051");
    await ended;
    expect(output).toMatch(/^\{"state":"pending".*\}\ncodes 0 0\n$/);
  });
});

describe("ls", () => {
  test("prints one view of a service, as watch does", async () => {
    await put("shelf", "10.0.0.1:50051");
    await using cli = startCli(["ls", "shelf", "--endpoints", etcd.endpoint, "--json"]);
    expect(await cli.ended).toMatchObject({ code: 0, stderr: "" });
    expect(cli.events()).toMatchObject([{ state: "live", instances: [{ address: "10.0.0.1:50051" }] }]);
  });

  test("without a service lists the services with the number of their instances", async () => {
    await etcd.etcdctl("put", "/listed/a/10.0.0.1:1", "10.0.0.1:1");
    await etcd.etcdctl("put", "/listed/a/10.0.0.2:1", "10.0.0.2:1");
    await etcd.etcdctl("put", "/listed/b/10.0.0.1:1", "10.0.0.1:1");
    const args = ["ls", "--prefix", "/listed/", "--endpoints", etcd.endpoint];
    await using cli = startCli([...args, "--json"]);
    await cli.ended;
    expect(cli.events()).toEqual([
      { service: "a", instances: 2 },
      { service: "b", instances: 1 },
    ]);
    expect((await runCli(args)).stdout).toBe("SERVICE  INSTANCES\na                2\nb                1\n");
  });

  test("ends with 1 and one line when etcd does not answer", async () => {
    const [port] = await freePorts(1);
    const both = await Promise.all(
      [["ls", "book"], ["ls"]].map((args) => runCli([...args, "--endpoints", `127.0.0.1:${port}`])),
    );
    for (const { code, stdout, stderr } of both) {
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(new RegExp(`^rollcall: [^\\n]*ECONNREFUSED 127\\.0\\.0\\.1:${port}[^\\n]*\\n$`));
    }
  });
});

describe("where etcd is secured", () => {
  let authority: Authority;
  let secured: EtcdMember;

  beforeAll(async () => {
    authority = await createAuthority();
    const { certFile, keyFile } = await authority.issue("etcd", ["IP:127.0.0.1"]);
    secured = await startEtcd({
      tls: {
        serverArgs: ["--cert-file", certFile, "--key-file", keyFile],
        clientArgs: ["--cacert", authority.caFile],
      },
    });
    await secured.etcdctl("put", "/services/book/10.0.0.1:50051", "10.0.0.1:50051");
    await secured.etcdctl("user", "add", "root:secret");
    await secured.etcdctl("role", "add", "root");
    await secured.etcdctl("user", "grant-role", "root", "root");
    await secured.etcdctl("role", "add", "reader");
    await secured.etcdctl("role", "grant-permission", "reader", "--prefix=true", "read", "/services/book/");
    await secured.etcdctl("user", "add", "reader:pass:word");
    await secured.etcdctl("user", "grant-role", "reader", "reader");
    await secured.etcdctl("auth", "enable");
  });
  afterAll(() => Promise.all([secured?.stop(), authority?.remove()]));

  test("watch needs no more than to read its own service", async () => {
    const login = ["--cacert", authority.caFile, "--user", "reader:pass:word"];
    await using cli = startCli(["watch", "book", "--endpoints", secured.endpoint, ...login, "--json"]);
    const view = await cli.event<View>(({ state }) => state === "live");
    expect(view.instances.map(({ address }) => address)).toEqual(["10.0.0.1:50051"]);
  });

  test("the variables of etcdctl are taken", async () => {
    const { code, stdout } = await runCli(["ls", "book"], {
      env: {
        ETCDCTL_ENDPOINTS: `https://${secured.endpoint}`,
        ETCDCTL_CACERT: authority.caFile,
        ETCDCTL_USER: "reader:pass:word",
      },
    });
    expect([code, stdout]).toEqual([0, expect.stringContaining("10.0.0.1:50051")]);
  });

  test("a wrong password is said as such", async () => {
    const args = ["ls", "--endpoints", secured.endpoint, "--cacert", authority.caFile, "--user", "reader:wrong"];
    const { code, stderr } = await runCli(args);
    expect([code, stderr]).toEqual([1, expect.stringContaining("authentication failed")]);
  });
});

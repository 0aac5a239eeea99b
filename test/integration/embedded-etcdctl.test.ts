import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { type EmbeddedRegistry, startEmbedded } from "rollcall/embedded";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { etcdBinaries } from "../../scripts/etcd.mjs";
import { type EtcdMember, startEtcd } from "../support/etcd.js";

const PATIENCE_MS = 20_000;

// One line each, run in this order; the revisions are those of a fresh store.
const session = [
  "put /services/book/127.0.0.1:1 127.0.0.1:1",
  "put /services/book/127.0.0.1:2 127.0.0.1:2",
  "put /services/bookstore/127.0.0.1:3 127.0.0.1:3",
  "get --prefix /services/book/",
  "get --prefix --keys-only --order=DESCEND --limit=2 /services/",
  "get --prefix --limit=1 --write-out=fields /services/",
  "get --from-key /services/book/127.0.0.1:2",
  "put --prev-kv /services/book/127.0.0.1:2 changed",
  "get --rev=3 /services/book/127.0.0.1:2",
  "get --write-out=json /services/book/127.0.0.1:2",
  "del --prev-kv /services/book/127.0.0.1:1",
  "del nothing",
  'txn << version("a") = "0"\n\nput a 1\nget --prefix /services/\n\nput a 2\n\n',
  'txn << version("a") = "0"\n\nput a 1\n\nget a\ndel a\n\n',
  "txn << \n\nput a 1\nput a 2\n\n\n",
  "put --lease=404 a 1",
  "put --ignore-value nothing",
  "get --rev=999 a",
  "compaction 5",
  "compaction 5",
  "get --rev=3 a",
  "watch --rev=3 a",
  "endpoint health",
] as const;

describe.each(["3.5", "3.4"] as const)(
  "etcdctl %s prints the same for the embedded registry as for etcd",
  (version) => {
    let embedded: EmbeddedRegistry;
    let real: EtcdMember;
    let etcdctl: string;

    beforeAll(async () => {
      [embedded, real, { etcdctl }] = await Promise.all([
        startEmbedded(),
        startEtcd({ version }),
        etcdBinaries(version),
      ]);
    });
    afterAll(() => Promise.all([embedded?.close(), real?.stop()]));

    const onBoth = <T>(use: (endpoint: string) => Promise<T>) =>
      Promise.all([real.endpoint, embedded.endpoint].map(use));
    const run = async (endpoint: string, line: string) => {
      const [command = "", input = ""] = line.split(" << ");
      const child = start(etcdctl, endpoint, command.split(" "));
      child.stdin.end(input);
      const output = collect(child);
      const [code] = await once(child, "close");
      return { code, output: normalise(output.text, endpoint) };
    };

    it.each(session)("%j", async (line) => {
      const [expected, actual] = await onBoth((endpoint) => run(endpoint, line));
      expect(actual).toEqual(expected);
    });

    it("lease grant, put --lease, timetolive, keep-alive, list, revoke", async () => {
      const [expected, actual] = await onBoth(async (endpoint) => {
        const granted = await run(endpoint, "lease grant 600");
        const id = /lease (\w+) granted/.exec(granted.output)?.[1] ?? "";
        const outputs = [granted];
        for (const line of [
          `put --lease=${id} leased 1`,
          `lease timetolive --keys ${id}`,
          `lease keep-alive --once ${id}`,
          "lease list",
          `lease revoke ${id}`,
          `lease timetolive ${id}`,
          `lease keep-alive ${id}`,
          `lease revoke ${id}`,
          "get leased",
        ]) {
          outputs.push(await run(endpoint, line));
        }
        return JSON.parse(
          JSON.stringify(outputs)
            .replaceAll(id, "<lease>")
            .replaceAll(/remaining\(\d+s\)/g, "remaining(…)"),
        );
      });
      expect(actual).toEqual(expected);
    });

    it("watch --prefix --prev-kv follows what happens", async () => {
      const [expected, actual] = await onBoth(async (endpoint) => {
        const watching = start(etcdctl, endpoint, ["watch", "--prefix", "--prev-kv", "watched/"]);
        const output = collect(watching);
        // A watch says nothing when it is there: events are made until it tells one, and those before the mark are left out.
        const deadline = Date.now() + PATIENCE_MS;
        while (!output.text.includes("watched/ready") && Date.now() < deadline) {
          await run(endpoint, "put watched/ready now");
        }
        for (const line of [
          "put watched/a 1",
          "put watched/a 2",
          "put elsewhere 3",
          "del --prefix watched/a",
          "put watched/end x",
        ]) {
          await run(endpoint, line);
        }
        await output.until("watched/end\nx\n");
        watching.kill();
        await once(watching, "close");
        const mark = "watched/ready\nnow\n";
        return output.text.slice(output.text.lastIndexOf(mark) + mark.length);
      });
      expect(expected).toContain("DELETE\nwatched/a\n2\nwatched/a\n");
      expect(actual).toEqual(expected);
    });

    it("member list names the address that clients are to use", async () => {
      const [line = ""] = (await run(embedded.endpoint, "member list")).output.split("\n");
      expect(line).toMatch(/^\w+, started, rollcall, , http:\/\/<endpoint>(, false)?$/);
    });

    it("endpoint status tells of a healthy leader of a recent version", async () => {
      const asking = start(etcdctl, embedded.endpoint, ["endpoint", "status", "--write-out=json"]);
      const output = collect(asking);
      await once(asking, "close");
      const [{ Status: status }] = JSON.parse(output.text);
      expect(status.version).toMatch(/^3\.5\.\d+$/);
      expect(status.leader).toBe(status.header.member_id);
      expect(status.header.revision).toBeGreaterThan(1);
    });
  },
);

function start(etcdctl: string, endpoint: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(etcdctl, [`--endpoints=${endpoint}`, ...args], { env: { PATH: process.env.PATH, ETCDCTL_API: "3" } });
}

/** What a process prints on both its outputs, as it comes. */
function collect(child: ChildProcessWithoutNullStreams) {
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return {
    get text() {
      return stdout + stderr;
    },
    async until(part: string): Promise<void> {
      const deadline = Date.now() + PATIENCE_MS;
      while (!stdout.includes(part)) {
        if (Date.now() > deadline)
          throw new Error(`etcdctl did not print ${JSON.stringify(part)}:\n${stdout}${stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

/** Takes out what differs between any two etcds: addresses, ids, terms, durations, times. */
function normalise(output: string, endpoint: string): string {
  return output
    .replaceAll(endpoint, "<endpoint>")
    .replaceAll(/(cluster_?id|member_?id|raft_?term)"?\s?:\s?\d+/gi, "$1")
    .replaceAll(/took = [^\n]+/g, "took")
    .replaceAll(/\{"level":"warn".*\n/g, "")
    .replaceAll(/"(ts|logger|caller)":"[^"]*"/g, "");
}

/** `rollcall dev`: a registry for whoever speaks etcd. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { etcdBinaries } from "../../scripts/etcd.mjs";
import { runCli, startCli } from "../support/cli.js";

test("serves etcdctl until it is told to end, and says so when its port is taken", async () => {
  await using cli = startCli(["dev", "--listen", "127.0.0.1:0", "--json"]);
  const { endpoint } = await cli.event<{ event: string; endpoint: string }>(({ event }) => event === "listening");
  const { etcdctl } = await etcdBinaries();
  const { stdout } = await promisify(execFile)(etcdctl, [
    `--endpoints=${endpoint}`,
    "put",
    "/services/book/a:1",
    "a:1",
  ]);
  expect(stdout).toBe("OK\n");

  const { code, stderr } = await runCli(["dev", "--listen", endpoint]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^rollcall: cannot listen on .*: the port is in use; .*\n$/),
  ]);

  cli.kill("SIGINT");
  expect(await cli.ended).toMatchObject({ code: 0, stderr: "" });
});

test("says in words where it listens", async () => {
  await using cli = startCli(["dev", "--listen", "127.0.0.1:0"]);
  await cli.output(/^embedded registry on 127\.0\.0\.1:\d+, in memory/);
  cli.kill("SIGTERM");
  expect((await cli.ended).code).toBe(0);
});

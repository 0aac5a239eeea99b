/** What the command line does with arguments, before it does anything else. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root, runCli } from "../support/cli.js";

const verbs = ["demo", "dev", "register", "watch", "ls", "call", "simulate"];

test("--help lists the verbs, and each verb's --help its options", async () => {
  const overview = await runCli(["--help"]);
  expect(overview.code).toBe(0);
  for (const verb of verbs) expect(overview.stdout).toMatch(new RegExp(`^  ${verb} +\\S`, "m"));
  const helps = await Promise.all(verbs.map((verb) => runCli([verb, "--help"])));
  for (const [index, { code, stdout, stderr }] of helps.entries()) {
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^Usage: rollcall ${verbs[index]} `));
    expect(stdout).toContain("--json");
  }
});

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

describe("unusable arguments end with 2 and one line that says how to mend them", () => {
  test.each([
    [[], "a verb is missing"],
    [["serve"], 'there is no verb "serve": give one of demo'],
    [["watch", "book", "--follow"], "there is no option --follow"],
    [["watch", "book/shelf"], '"book/shelf" cannot name a service'],
    [["ls", "--endpoints", "10.0.0.1"], "no port"],
    [["dev", "--listen", "2379"], "must be host:port"],
    [["register", "book", "0.0.0.0:50051"], "not where others reach it"],
    [["register", "book", "127.0.0.1:50051", "--", "no-such-program"], 'cannot start "no-such-program" (ENOENT)'],
    [["call", "pb.Test/Test", "{a}", "--service", "book", "--proto", "examples/book/book.proto"], "is not JSON"],
    [["simulate"], "give --scenario <name>, or --list to see them"],
    [["simulate", "--scenario", "join", "--file", "a.json"], "are two scenarios: give one"],
    [["simulate", "--file", "no-such-file.json"], "--file: ENOENT"],
    [["simulate", "--file", "package.json"], '--file package.json: the scenario has no field "version"'],
    [["simulate", "--scenario", "best"], '--scenario: there is no scenario "best"'],
    [["simulate", "--list", "--scenario", "join"], "--list names all scenarios"],
    [["simulate", "--scenario", "join", "--strategies", "best"], '--strategies: there is no balancer "best"'],
    [["simulate", "--scenario", "join", "--strategies", "p2c,"], '--strategies: a name is missing in "p2c,"'],
    [["simulate", "--scenario", "join", "--strategies", "p2c,p2c"], '"p2c" is named twice'],
    [
      ["simulate", "--scenario", "join", "--seeds", "1000000"],
      "--seeds: 1000000 runs of 30000 calls are too many: 166",
    ],
    [["simulate", "--scenario", "join", "--svg", "no-such-folder/join.svg"], "--svg: ENOENT"],
    [["demo", "--cluster", "--endpoints", "127.0.0.1:2379"], "give one of them"],
  ])("%j", async (args, complaint) => {
    const { code, stdout, stderr } = await runCli(args);
    expect(stderr).toContain(complaint);
    expect(stderr).toMatch(/^rollcall: [^\n]+\n$/);
    expect([code, stdout]).toEqual([2, ""]);
  });

  test("a variable of etcdctl is named where it is at fault", async () => {
    const { code, stderr } = await runCli(["ls"], { env: { ETCDCTL_USER: "root" } });
    expect([code, stderr]).toEqual([2, expect.stringContaining("ETCDCTL_USER has no password")]);
  });
});

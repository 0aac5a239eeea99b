/** `rollcall simulate`: what it prints and writes. What it finds is held by the tests of `test/bars/`. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runCli } from "../support/cli.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const scenario = {
  name: "short",
  description: "one of four fails",
  durationMs: 2_000,
  rate: 500,
  servers: [
    { count: 3, latency: { constantMs: 5 } },
    { name: "bad", latency: { constantMs: 5 }, phases: [{ fromMs: 1_000, condition: "fails", afterMs: 1 }] },
  ],
};

test("a scenario from a file gives a line of figures for each strategy, and the same with the same seed", async () => {
  await using folder = await temporaryFolder("simulate");
  const [file, svg] = [folder.file("short.json"), folder.file("short.svg")];
  writeFileSync(file, JSON.stringify(scenario));
  const args = [
    "simulate",
    "--file",
    file,
    "--strategies",
    "round-robin,random",
    "--attempts",
    "1",
    "--no-ejection",
    "--seeds",
    "2",
  ];
  const { code, stdout, stderr } = await runCli([...args, "--json", "--svg", svg]);
  expect([code, stderr]).toEqual([0, ""]);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ strategy }) => strategy)).toEqual(["round-robin", "random"]);
  for (const { scenario: name, seeds, calls, failed, faulty, whileFaulty, attempts, latencyMs, servers } of lines) {
    expect([name, seeds]).toEqual(["short", [1, 2]]);
    expect(attempts).toBe(calls);
    expect(failed).toBe(faulty);
    expect(faulty / whileFaulty).toBeCloseTo(1 / 4, 1);
    expect(latencyMs.p50).toBe(5);
    expect(servers.map((server: { name: string }) => server.name)).toEqual(["server-1", "server-2", "server-3", "bad"]);
  }
  expect(readFileSync(svg, "utf8")).toMatch(/^<svg [\s\S]*short: one of four fails[\s\S]*<\/svg>\n$/);
  expect((await runCli([...args, "--json"])).stdout).toBe(stdout);
  const table = await runCli(args);
  expect(table.stdout).toMatch(/^short: one of four fails; 500 calls\/s for 2 s, seeds 1 to 2\n\nSTRATEGY +FAILED % /);
  expect(table.stdout).toMatch(/^round-robin +12\.\d+ +1\.000 +2[45]\.\d+ /m);
});

test("--servers adds a table of what each server got", async () => {
  await using folder = await temporaryFolder("simulate");
  const file = folder.file("short.json");
  writeFileSync(file, JSON.stringify(scenario));
  const { code, stdout } = await runCli(["simulate", "--file", file, "--strategies", "round-robin,p2c", "--servers"]);
  expect(code).toBe(0);
  const [, , second = ""] = stdout.split("\n\n");
  const rows = second
    .trim()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
  expect(rows[0]).toEqual(["STRATEGY", "SERVER", "ATTEMPTS", "SHARE %"]);
  expect(rows.slice(1).map(([strategy, server]) => `${strategy} ${server}`)).toEqual(
    ["round-robin", "p2c"].flatMap((strategy) =>
      ["server-1", "server-2", "server-3", "bad"].map((server) => `${strategy} ${server}`),
    ),
  );
  for (const four of [rows.slice(1, 5), rows.slice(5)]) {
    const shares = four.map(([, , , share]) => Number(share));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 1);
    expect(shares[3]).toBeLessThan(Math.min(...shares.slice(0, 3)));
  }
});

test("--list names the scenarios", async () => {
  const { code, stdout } = await runCli(["simulate", "--list"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^slow-backend +one of 11 servers takes 2 s for 30 s$/m);
});

/** scripts/setup.mjs in a clone of its own, with a compiler and an npm that only take notes. */
import { execFile } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "./support/cli.js";

let clone: string;

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "rollcall-clone-"));
  cpSync(join(root, "scripts/setup.mjs"), join(clone, "scripts/setup.mjs"));
  write("package.json", JSON.stringify({ type: "module", engines: { node: ">=20.19" } }));
  write("package-lock.json", lockOf("sha512-a"));
  write("src/kept.ts", "");
  write("src/deep/gone.ts", "");
  // Both take their time, so that a second command finds them at work.
  const note = (what: string) => `require("fs").appendFileSync("notes", "${what}\\n"); setTimeout(() => {}, 150);`;
  write("compiler", `${note("build")} require("fs").mkdirSync("dist", { recursive: true });`);
  write(
    "bin/npm",
    `#!${process.execPath}
    ${note("install")}
    require("fs").cpSync("package-lock.json", "node_modules/.package-lock.json");
    require("fs").mkdirSync("node_modules/typescript/bin", { recursive: true });
    require("fs").cpSync("compiler", "node_modules/typescript/bin/tsc");`,
  );
  write("bin/package.json", "{}");
  write("node_modules/package.json", "{}");
  chmodSync(join(clone, "bin/npm"), 0o755);
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

function lockOf(integrity: string): string {
  return JSON.stringify({
    packages: { "": {}, "node_modules/a": { integrity }, "node_modules/b": { optional: true } },
  });
}

function write(file: string, text: string): void {
  mkdirSync(dirname(join(clone, file)), { recursive: true });
  writeFileSync(join(clone, file), text);
}

/** What setting up does, beside printing; fails with what it printed. */
async function setup(path = `${join(clone, "bin")}:${process.env.PATH}`) {
  const before = notes().length;
  const { stdout } = await run(path);
  expect(stdout).toBe("");
  return notes().slice(before);
}

function run(path: string): Promise<{ stdout: string; stderr: string; code: number }> {
  const args = ["--input-type=module", "-e", 'await (await import("./scripts/setup.mjs")).setup()'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: clone, env: { PATH: path } }, (error, stdout, stderr) => {
      resolve({ stdout, stderr, code: error ? Number(error.code) : 0 });
    });
  });
}

function notes(): string[] {
  const file = join(clone, "notes");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

test("several first commands at once set a clone up once, and the next ones find nothing to do", async () => {
  await Promise.all([setup(), setup(), setup()]);
  expect(notes()).toEqual(["install", "build"]);
  expect(await setup()).toEqual([]);
});

test("a lock file that was only touched installs nothing under running programs, one that changed does", async () => {
  await setup();
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(clone, "package-lock.json"), later, later);
  expect(await setup()).toEqual([]);
  write("package-lock.json", lockOf("sha512-b"));
  expect(await setup()).toEqual(["install"]);
});

test("a deleted source builds anew, and its output goes", async () => {
  await setup();
  for (const file of ["src/kept", "src/deep/gone"]) for (const end of [".js", ".d.ts"]) write(`dist/${file}${end}`, "");
  rmSync(join(clone, "src/deep/gone.ts"));
  expect(await setup()).toEqual(["build"]);
  expect(["kept.js", "kept.d.ts"].map((name) => existsSync(join(clone, "dist/src", name)))).toEqual([true, true]);
  expect(["gone.js", "gone.d.ts"].map((name) => existsSync(join(clone, "dist/src/deep", name)))).toEqual([
    false,
    false,
  ]);
});

test("a source that is saved while the build runs is built by the next command", async () => {
  appendFileSync(join(clone, "compiler"), 'setTimeout(() => require("fs").writeFileSync("src/kept.ts", ""), 50);');
  await setup();
  expect(await setup()).toEqual(["build"]);
});

test("a command that was killed while it set up blocks nobody", async () => {
  mkdirSync(join(clone, ".cache"));
  symlinkSync("999999999", join(clone, ".cache/setup.pid"));
  expect(await setup()).toEqual(["install", "build"]);
});

test("an install that fails ends with 1, npm's own words and what to look at", async () => {
  write("bin/npm", `#!${process.execPath}\nconsole.error("npm error ENOTFOUND"); process.exit(3);`);
  const { stdout, stderr, code } = await run(join(clone, "bin"));
  expect([stdout, code]).toEqual(["", 1]);
  expect(stderr).toMatch(/npm error ENOTFOUND\nrollcall: installing npm packages failed \(exit 3\); .*within reach/);
});

test("a Node that is too old is told so before anything else", async () => {
  write("package.json", JSON.stringify({ type: "module", engines: { node: ">=99.1" } }));
  const { stderr, code } = await run("");
  expect([code, notes()]).toEqual([1, []]);
  expect(stderr).toMatch(/^rollcall: this is Node [\d.]+, and it needs >=99\.1: install a newer Node\n$/);
});

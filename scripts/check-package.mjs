// The package as a user gets it: packed, its exports and types judged, the links of its pages followed, installed elsewhere,
// and loaded from there.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { root } from "./setup.mjs";

const scratch = mkdtempSync(join(tmpdir(), "rollcall-package-"));
try {
  const [packed] = JSON.parse(run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", scratch]));
  const tarball = join(scratch, packed.filename);
  const paths = packed.files.map(({ path }) => path);
  const strays = paths.filter((path) => /\.test\.|tsbuildinfo|^test\/|^\.cache/.test(path));
  if (strays.length > 0) fail(`the package holds what no user needs: ${strays.join(", ")}`);

  for (const page of paths.filter((path) => path.endsWith(".md"))) {
    const prose = readFileSync(join(root, page), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
    for (const [, target] of prose.matchAll(/\]\((?!https?:)([^)\s#]+)[^)]*\)/g)) {
      const to = posix.join(posix.dirname(page), target);
      if (!paths.some((path) => path === to || path.startsWith(to.replace(/\/?$/, "/"))))
        fail(`${page} links to ${to}, which is not in the package`);
    }
  }

  run("npx", ["publint", "--strict", tarball]);
  run("npx", ["attw", "--profile", "esm-only", tarball]);

  // A consumer with the package unpacked and its peers beside it.
  const consumer = join(scratch, "consumer");
  const modules = join(consumer, "node_modules");
  mkdirSync(join(modules, "rollcall"), { recursive: true });
  run("tar", ["-xzf", tarball, "-C", join(modules, "rollcall"), "--strip-components=1"]);
  for (const scope of ["@grpc", "@bufbuild", "@js-sdsl"])
    symlinkSync(join(root, "node_modules", scope), join(modules, scope));
  const { exports, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const names = Object.keys(exports).filter((name) => name !== "./package.json");
  writeFileSync(
    join(consumer, "load.mjs"),
    names.map((name) => `await import(${JSON.stringify(`rollcall${name.slice(1)}`)});`).join("\n"),
  );
  run("node", ["load.mjs"], consumer);
  writeFileSync(join(consumer, "load.cjs"), 'require("rollcall"); require("rollcall/etcd");');
  run("node", ["load.cjs"], consumer);
  const printed = run("node", [join(modules, "rollcall", "dist/src/cli/main.js"), "--version"], consumer).trim();
  if (printed !== version) fail(`the packed command line says version ${printed}, package.json says ${version}`);
  process.stdout.write(`${packed.filename}: ${packed.files.length} files, ${names.length} entry points load\n`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) fail(`${command} ${args.join(" ")}: ${error?.message ?? `${stdout}\n${stderr}`}`);
  return stdout;
}

function fail(message) {
  rmSync(scratch, { recursive: true, force: true });
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

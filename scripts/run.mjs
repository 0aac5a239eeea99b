// What the package's scripts call: makes the clone ready, then runs one thing in this very process, so that signals reach it.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { etcdBinaries } from "./etcd.mjs";
import { root, setup } from "./setup.mjs";

const [mode, ...args] = process.argv.slice(2);

const modes = {
  setup: async () => {},
  cli: async () => {
    if (args[0] === "demo" && args.includes("--cluster")) {
      process.env.ROLLCALL_ETCD = dirname((await etcdBinaries()).etcd);
    }
    await become(join(root, "dist/src/cli/main.js"));
  },
  "example-server": () => become(join(root, "dist/examples/book/server.js")),
  test: () => vitest(),
  bench,
  "compare-etcd3": () => becomeSource(join(root, "test/faults/compare/compare.ts")),
  soak: () => becomeSource(join(root, "test/faults/convergence/soak.ts")),
};

const run = modes[mode];
if (!run) {
  process.stderr.write(`run.mjs: "${mode ?? ""}" is not one of ${Object.keys(modes).join(", ")}\n`);
  process.exit(2);
}
await setup();
try {
  await run();
} catch (error) {
  process.stderr.write(`rollcall: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

async function become(program) {
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
}

/** For programs of test/, which is not built. */
async function becomeSource(program) {
  await import(pathToFileURL(join(root, "test/support/typescript-loader.mjs")).href);
  await become(program);
}

async function bench() {
  const name = args.shift() ?? "";
  const sources = readdirSync(join(root, "bench")).filter((file) => file.endsWith(".ts"));
  const names = sources.map((file) => file.slice(0, -".ts".length));
  if (!names.includes(name)) throw new Error(`"${name}" is no bench; there are ${names.join(", ")}`);
  await become(join(root, "dist/bench", `${name}.js`));
}

/** vitest decides much by being the main module, so it gets a process of its own. */
function vitest() {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", ...args], {
      cwd: root,
      stdio: "inherit",
    });
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
    child.once("exit", (code, signal) => {
      process.exitCode = code ?? 128 + constants.signals[signal];
      resolve();
    });
  });
}

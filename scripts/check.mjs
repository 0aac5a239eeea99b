// Every check of the repository, one after the other; the first that fails ends it. CONTRIBUTING.md says how to run one alone.
import { spawnSync } from "node:child_process";
import { root, setup } from "./setup.mjs";

const checks = [
  ["types", "npx", ["tsc", "--noEmit", "-p", "tsconfig.json"]],
  ["lint", "npx", ["biome", "check", "--error-on-warnings", "."]],
  ["generated code is what its .proto gives", "node", ["scripts/generate.mjs", "--check"]],
  ["package", "node", ["scripts/check-package.mjs"]],
  ["tests (docs snippets included)", "npm", ["test"]],
  ["faults that take long", "npm", ["run", "--silent", "test:faults"]],
  ["demo, embedded registry", "npm", ["run", "--silent", "demo"]],
  ["demo, three etcd members", "npm", ["run", "--silent", "demo", "--", "--cluster"]],
];

await setup();
for (const [name, command, args] of checks) {
  process.stdout.write(`\n── ${name} ──\n`);
  const startedMs = Date.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) {
    process.stdout.write(`── ${name}: FAILED${error ? ` (${error.message})` : ""}\n`);
    process.exit(1);
  }
  process.stdout.write(`── ${name}: passed in ${((Date.now() - startedMs) / 1000).toFixed(1)} s\n`);
}

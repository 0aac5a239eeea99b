// Tests import the package by its public names; here those names lead to the sources, read from package.json's exports.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = dirname(fileURLToPath(import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string>;
};

const alias = Object.entries(exports)
  .filter(([, target]) => target.endsWith(".js"))
  .map(([name, target]) => ({
    find: new RegExp(`^rollcall${name.slice(1)}$`),
    replacement: join(root, target.replace("./dist/", "").replace(/\.js$/, ".ts")),
  }));

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/faults/slow/**"], // `npm run test:faults`
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 3, // on two cores too: the long tests wait for leases and elections most of their time
  },
});

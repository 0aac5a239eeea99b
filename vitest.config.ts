// Tests import the package by its public names; here those names lead to the sources, read from package.json's exports.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = dirname(fileURLToPath(import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  exports: Record<string, string>;
};

export const alias = Object.entries(exports)
  .filter(([, target]) => target.endsWith(".js"))
  .map(([name, target]) => ({
    find: new RegExp(`^rollcall${name.slice(1)}$`),
    replacement: join(root, target.replace("./dist/", "").replace(/\.js$/, ".ts")),
  }));

// Small and quick, and alone with their own objects: a fresh process for each file would take longer than its tests.
const unitTests = ["src/**/*.test.ts", "test/bars/**/*.test.ts", "test/models/**/*.test.ts"];

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 3, // on two cores too: the long tests wait for leases and elections most of their time
    projects: [
      {
        resolve: { alias },
        test: { name: "unit", include: unitTests, isolate: false, testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        resolve: { alias },
        test: {
          name: "whole",
          include: ["test/**/*.test.ts"],
          exclude: [...unitTests, "test/faults/slow/**", "test/faults/busy/**"], // these by `npm run test:faults`
          globalSetup: "test/support/unpack-etcd.ts",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});

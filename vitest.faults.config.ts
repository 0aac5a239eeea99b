// The faults that would make `npm test` too long: first those that mostly wait, many at a time, then those that keep a machine
// busy with processes and calls.
import { defineConfig } from "vitest/config";
import { alias } from "./vitest.config.js";

const faults = (folder: string, groupOrder: number, maxWorkers: number) => ({
  resolve: { alias },
  test: {
    name: folder,
    include: [`test/faults/${folder}/**/*.test.ts`],
    globalSetup: "test/support/unpack-etcd.ts",
    testTimeout: 180_000,
    hookTimeout: 120_000,
    sequence: { groupOrder },
    maxWorkers,
  },
});

export default defineConfig({
  test: { pool: "forks", projects: [faults("slow", 0, 4), faults("busy", 1, 3)] },
});

// The faults that take too long for `npm test`: mostly waiting, so more files at a time.
import { defineConfig } from "vitest/config";
import config from "./vitest.config.js";

export default defineConfig({
  ...config,
  test: {
    ...config.test,
    include: ["test/faults/slow/**/*.test.ts"],
    exclude: [],
    testTimeout: 180_000,
    maxWorkers: 6,
  },
});

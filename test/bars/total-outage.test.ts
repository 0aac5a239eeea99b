/** Every server fails every call for a minute, at 1,000 calls a second and three attempts each. */
import { expect, test } from "vitest";
import { shipped, summaries } from "./support.js";

test("a total outage is met with 1.22 times the calls as attempts, and not three times", async () => {
  const [{ calls, failed, attempts } = { calls: 0, failed: 0, attempts: 0 }] = await summaries(
    "total-outage",
    shipped,
    1,
  );
  expect(calls).toBeGreaterThan(59_000);
  expect(failed).toBe(calls);
  expect(attempts / calls).toBeLessThanOrEqual(1.22);
  expect(attempts / calls).toBeGreaterThan(1.15); // the budget is there to be used
});

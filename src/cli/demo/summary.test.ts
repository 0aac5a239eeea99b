import { describe, expect, test } from "vitest";
import type { InstanceCount } from "./events.js";
import { type Played, summarize } from "./summary.js";

const KILLED_AT_MS = 100_000;

function counted(address: string, count: Partial<InstanceCount> = {}): InstanceCount {
  const times = { p50Ms: 1, p99Ms: 2, lastAttemptAtMs: KILLED_AT_MS + 9_000 };
  return { address, endpoint: "ready", attempts: 10, calls: 10, errors: 0, ...times, ...count };
}

const steady = counted("a:1");
const killed = counted("b:1", { endpoint: "gone", errors: 1, lastAttemptAtMs: KILLED_AT_MS - 5 });
const drained = counted("c:1");
const joined = counted("d:1");

function played(
  instances: readonly InstanceCount[],
  change: Partial<Played> & { readonly failed?: number } = {},
): Played {
  const { failed = 0, ...rest } = change;
  return {
    eight: ["a:1", "b:1", "c:1", "a:1", "b:1", "c:1", "a:1", "b:1"],
    counts: { calls: 40, failed, p50Ms: 1, p99Ms: 2, slowestMs: 3, instances },
    killed: { address: "b:1", atMs: KILLED_AT_MS, goneAtMs: KILLED_AT_MS + 8_000 },
    restarted: { address: "c:1", atMs: KILLED_AT_MS + 3_000 },
    joined: "d:1",
    strangers: [],
    elapsedMs: 12_000,
    ...rest,
  };
}

describe("the demo's verdict", () => {
  test("is good when everything that it promises was seen", () => {
    expect(summarize(played([steady, killed, drained, joined]))).toMatchObject({
      ok: true,
      eight: { "a:1": 3, "b:1": 3, "c:1": 2 },
      byInstance: { "a:1": 10, "b:1": 10, "c:1": 10, "d:1": 10 },
      killed: { lastAttemptAfterMs: 0, goneAfterMs: 8_000 },
    });
  });

  test.each<[string, Played]>([
    ["a call failed", played([steady, killed, drained, joined], { failed: 1 })],
    ["the eight calls did not go round", played([steady, killed, drained, joined], { eight: Array(8).fill("a:1") })],
    [
      "the dead server went on getting calls",
      played([steady, { ...killed, lastAttemptAtMs: KILLED_AT_MS + 1_001 }, drained, joined]),
    ],
    ["draining cost an attempt", played([steady, killed, { ...drained, errors: 1 }, joined])],
    [
      "the drained server got no calls when it was back",
      played([steady, killed, { ...drained, lastAttemptAtMs: KILLED_AT_MS + 2_000 }, joined]),
    ],
    ["the fourth server got no calls", played([steady, killed, drained])],
    ["a stranger was there", played([steady, killed, drained, joined], { strangers: ["e:1"] })],
  ])("is bad when %s", (_, demo) => {
    const { ok, findings } = summarize(demo);
    expect(ok).toBe(false);
    expect(findings.filter(({ seen }) => !seen)).toHaveLength(1);
  });
});

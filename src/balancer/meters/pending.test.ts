import { describe, expect, it } from "vitest";
import { metricContract } from "../../testing/metric-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { pending } from "./pending.js";

metricContract({ describe, it }, { name: "pending", make: pending });

describe("pending", () => {
  it("counts the calls in progress, and the one to come", () => {
    const meter = pending()({ medianIdleCost: () => 0, maxCost: () => 0 }, { clock: virtualClock() });
    const call = { startedMs: 0 };
    meter.begin(call);
    meter.begin({ startedMs: 0 });
    expect([meter.cost(), meter.idleCost?.()]).toEqual([3, 1]);
    meter.end(call, { kind: "cancelled", reached: "maybe-seen" });
    expect(meter.cost()).toBe(2);
  });
});

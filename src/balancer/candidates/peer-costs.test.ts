import { describe, expect, it } from "vitest";
import type { Meter } from "../meter.js";
import { PeerCosts } from "./peer-costs.js";

interface Costs {
  cost: number;
  idle?: number;
  blameless?: number;
}

function measured({ cost, idle, blameless = cost }: Costs, onLook = () => {}): { readonly meter: Meter } {
  const meter: Meter = {
    cost: () => cost,
    idleCost: () => {
      onLook();
      return idle;
    },
    blamelessCost: () => blameless,
    begin: () => {},
    end: () => {},
  };
  return { meter };
}

function setUp(set: readonly { readonly meter: Meter | undefined }[]) {
  const peers = new PeerCosts();
  peers.replace(set);
  return peers;
}

describe("what the endpoints of a set cost", () => {
  it("is nothing while there are none, or none is measured", () => {
    for (const set of [[], [{ meter: undefined }], [measured({ cost: 0 })]]) {
      const peers = setUp(set);
      expect([peers.medianIdleCost(0), peers.maxCost(0)]).toEqual([0, 0]);
    }
  });

  it("is the lower median of those that are known, and the highest without what failures add", () => {
    const peers = setUp([
      measured({ cost: 10, idle: 5 }),
      measured({ cost: 9_000, blameless: 40, idle: 7 }),
      measured({ cost: 30 }),
    ]);
    expect([peers.medianIdleCost(0), peers.maxCost(0)]).toEqual([5, 40]);
  });

  it("looks at everybody once in ten milliseconds, however often it is asked, and at once when the set has changed", () => {
    let looks = 0;
    const peers = setUp([measured({ cost: 1, idle: 1 }, () => (looks += 1))]);
    for (let n = 0; n < 100; n += 1) peers.medianIdleCost(n / 10.1);
    expect(looks).toBe(1);
    for (let n = 0; n < 100; n += 1) peers.maxCost(10 + n / 10.1);
    expect(looks).toBe(2);
    peers.replace([measured({ cost: 3, idle: 3 })]);
    expect(peers.medianIdleCost(10)).toBe(3);
  });

  it("answers a meter that asks while it is asked", () => {
    const peers: PeerCosts = setUp([measured({ cost: 1, idle: 1 }, () => void peers.medianIdleCost(0))]);
    expect(peers.medianIdleCost(0)).toBe(1);
  });

  it("takes samples of a large set, and has seen everybody in time", () => {
    let looks = 0;
    const peers = setUp(Array.from({ length: 1_000 }, (_, n) => measured({ cost: n, idle: n }, () => (looks += 1))));
    let highest = 0;
    for (let n = 0; n < 8; n += 1) highest = Math.max(highest, peers.maxCost(10 * n));
    expect([looks, highest]).toEqual([8 * 128, 999]);
  });
});

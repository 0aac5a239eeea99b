import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { random } from "./random.js";

const SEVEN = manualCandidates(Array.from({ length: 7 }, (_, n) => `host-${n}`));

function shares(picks: number, exclude: ReadonlySet<string> = new Set()): Map<string, number> {
  const pick = random()({ clock: virtualClock(), random: seededRandom(42) })(SEVEN);
  const counted = new Map<string, number>();
  for (let n = 0; n < picks; n += 1) {
    const address = pick({ exclude })?.address ?? "none";
    counted.set(address, (counted.get(address) ?? 0) + 1);
  }
  return counted;
}

strategyContract({ describe, it }, { name: "random", make: random });

describe("random", () => {
  it("gives each of seven its share of a million picks within 1 % (go-kit 26)", () => {
    const fair = 1_000_000 / 7;
    const counted = shares(1_000_000);
    expect(counted.size).toBe(7);
    for (const count of counted.values()) expect(Math.abs(count / fair - 1)).toBeLessThan(0.01);
  });

  it("spreads what a passed-over candidate does not get over all the others", () => {
    const fair = 60_000 / 6;
    const counted = shares(60_000, new Set(["host-3"]));
    expect(counted.has("host-3")).toBe(false);
    for (const count of counted.values()) expect(Math.abs(count / fair - 1)).toBeLessThan(0.05);
  });
});

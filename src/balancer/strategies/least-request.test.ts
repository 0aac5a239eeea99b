import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { type ManualCandidate, manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { leastRequest } from "./least-request.js";

function start(candidates: readonly ManualCandidate[]) {
  return leastRequest()({ clock: virtualClock(), random: seededRandom(1) })(candidates);
}

strategyContract({ describe, it }, { name: "leastRequest", make: leastRequest, weightTolerance: 0.05 });

describe("leastRequest", () => {
  it("fills the emptiest of all", () => {
    const candidates = manualCandidates(["a", "b", "c"]);
    for (const [n, candidate] of candidates.entries()) candidate.pending = 10 * n;
    const pick = start(candidates);
    for (let call = 0; call < 33; call += 1) pick({})!.pending += 1;
    expect(candidates.map(({ pending }) => pending).sort()).toEqual([21, 21, 21]);
  });

  it("fills each by its weight", () => {
    const candidates = [1, 2, 4].flatMap((weight) => manualCandidates([`of-${weight}`], { weight }));
    const pick = start(candidates);
    for (let call = 0; call < 700; call += 1) pick({})!.pending += 1;
    expect(candidates.map(({ pending }) => pending)).toEqual([100, 200, 400]);
  });
});

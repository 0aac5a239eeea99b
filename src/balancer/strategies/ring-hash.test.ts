import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { hashingContract } from "../../testing/hashing-contract.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { type RingHashOptions, ringHash } from "./ring-hash.js";

const KEYS = Array.from({ length: 200 }, (_, n) => `key-${n}`);

function start(options?: RingHashOptions) {
  return ringHash(options)({ clock: virtualClock(), random: seededRandom(1) });
}

strategyContract({ describe, it }, { name: "ringHash", make: ringHash, weightTolerance: 0.08 });
hashingContract({ describe, it }, { name: "ringHash", make: ringHash, unevenness: 0.25 });

describe("ringHash", () => {
  it("moves only keys of those who left, and only to those who joined, whatever the changes", () => {
    const hosts = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(hosts, { minLength: 2, maxLength: 5 }), (sets) => {
        const distribute = start({ virtualNodes: 20 });
        let before: { readonly members: readonly number[]; readonly owners: readonly number[] } | undefined;
        for (const members of sets) {
          const pick = distribute(manualCandidates(members.map(String)));
          const owners = KEYS.map((hashKey) => Number(pick({ hashKey })?.address));
          for (const [n, owner] of owners.entries()) {
            const last = before?.owners[n];
            if (last === undefined || last === owner) continue;
            expect(!members.includes(last) || !before?.members.includes(owner)).toBe(true);
          }
          before = { members, owners };
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it("keeps the keys in a roll-out that gives every instance another address, by their identity", () => {
    const at = (address: string, pod: string) => manualCandidates([address], { metadata: { pod } })[0]!;
    const old = ["a", "b", "c", "d"].map((pod, n) => at(`10.0.0.${n}:1`, pod));
    const distribute = start({ identity: "pod" });
    const pods = () => {
      const pick = distribute(old);
      return KEYS.map((hashKey) => pick({ hashKey })?.metadata?.pod);
    };
    const before = pods();
    for (const [n, { metadata }] of old.entries()) {
      old[n] = at(`10.9.9.${9 - n}:1`, metadata?.pod ?? "");
      expect(pods()).toEqual(before);
    }
  });

  it.each([{ virtualNodes: 0 }, { virtualNodes: 1.5 }, { maxRingSize: -1 }, { maxRingSize: Number.NaN }])(
    "refuses %j",
    (options) => {
      expect(() => ringHash(options)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );
});

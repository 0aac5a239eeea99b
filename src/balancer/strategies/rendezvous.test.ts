import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../random.js";
import { hashingContract } from "../../testing/hashing-contract.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { rendezvous } from "./rendezvous.js";

const KEYS = Array.from({ length: 200 }, (_, n) => `key-${n}`);

strategyContract({ describe, it }, { name: "rendezvous", make: rendezvous, weightTolerance: 0.08 });
hashingContract({ describe, it }, { name: "rendezvous", make: rendezvous, unevenness: 0.12 });

describe("rendezvous", () => {
  it("moves only keys of those who left, joined or changed their weight, whatever the changes", () => {
    const host = fc.record({ name: fc.integer({ min: 0, max: 15 }), weight: fc.constantFrom(1, 2, 10) });
    const hosts = fc.uniqueArray(host, { minLength: 1, selector: ({ name }) => name });
    fc.assert(
      fc.property(hosts, hosts, (before, after) => {
        const distribute = rendezvous()({ clock: virtualClock(), random: seededRandom(1) });
        const [owners, heirs] = [before, after].map((set) => {
          const pick = distribute(set.map(({ name, weight }) => manualCandidates([`${name}`], { weight })[0]!));
          return KEYS.map((hashKey) => pick({ hashKey })?.address);
        });
        const weightIn = (set: typeof before, address: string | undefined) =>
          set.find(({ name }) => `${name}` === address)?.weight ?? 0;
        for (const [n, owner] of owners!.entries()) {
          const heir = heirs![n];
          if (owner === heir) continue;
          const lost = weightIn(after, owner) < weightIn(before, owner);
          const gained = weightIn(after, heir) > weightIn(before, heir);
          expect(lost || gained).toBe(true);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("gives a key's calls, where its first endpoint cannot take them, to the one that would have it without that", () => {
    const all = manualCandidates(["a", "b", "c", "d"]);
    const distribute = rendezvous()({ clock: virtualClock(), random: seededRandom(1) });
    for (const hashKey of KEYS) {
      const first = distribute(all)({ hashKey });
      const next = distribute(all)({ hashKey, exclude: new Set([first?.address ?? ""]) });
      expect(next).toBe(distribute(all.filter((candidate) => candidate !== first))({ hashKey }));
    }
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { endpoints } from "../../endpoints/endpointer.js";
import { seededRandom } from "../../random.js";
import { hashingContract } from "../../testing/hashing-contract.js";
import { manualCandidates } from "../../testing/manual-candidates.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { strategyContract } from "../../testing/strategy-contract.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { balance } from "../balance.js";
import { maglev } from "../strategies/maglev.js";
import { ringHash } from "../strategies/ring-hash.js";
import type { Strategy } from "../strategy.js";
import { boundedLoad } from "./bounded-load.js";

const HOSTS = Array.from({ length: 10 }, (_, n) => `10.0.0.${n}:50051`);
const SMALL = () => ringHash({ virtualNodes: 5 });

function distributor(strategy: Strategy) {
  return strategy({ clock: virtualClock(), random: seededRandom(1) });
}

strategyContract({ describe, it }, { name: "boundedLoad(maglev)", make: () => boundedLoad(maglev()) });
strategyContract({ describe, it }, { name: "boundedLoad(ringHash)", make: () => boundedLoad(ringHash()) });
hashingContract(
  { describe, it },
  { name: "boundedLoad(ringHash)", make: () => boundedLoad(ringHash()), unevenness: 0.25 },
);

describe("boundedLoad", () => {
  it("never takes an endpoint above its bound, whichever keys come, calls end and endpoints fail", () => {
    const event = fc.oneof(
      fc.record({ key: fc.integer({ min: 0, max: 4 }) }),
      fc.record({ ends: fc.nat() }),
      fc.record({ flips: fc.nat(9) }),
    );
    const weights = fc.array(fc.constantFrom(1, 1, 1, 2, 5), { minLength: 10, maxLength: 10 });
    const factors = fc.constantFrom(1, 1.25, 2);
    fc.assert(
      fc.property(fc.array(event, { maxLength: 150 }), weights, factors, (events, weighing, factor) => {
        const set = manualCandidates(HOSTS);
        for (const [n, weight] of weighing.entries()) set[n]!.weight = weight;
        const pick = distributor(boundedLoad(SMALL(), { factor }))(set);
        const calls: (typeof set)[number][] = [];
        for (const one of events) {
          if ("ends" in one) {
            const [ended] = calls.length === 0 ? [] : calls.splice(one.ends % calls.length, 1);
            if (ended !== undefined) ended.pending -= 1;
          } else if ("flips" in one) {
            set[one.flips]!.usable = !set[one.flips]!.usable;
          } else {
            const usable = set.filter((candidate) => candidate.usable);
            const inProgress = usable.reduce((sum, { pending }) => sum + pending, 0);
            const weight = usable.reduce((sum, candidate) => sum + candidate.weight, 0);
            const picked = pick({ hashKey: `key-${one.key}` })!;
            picked.pending += 1;
            calls.push(picked);
            if (usable.length === 0) continue;
            expect(picked.usable).toBe(true);
            const most = Math.ceil((factor * (inProgress + 1) * picked.weight) / weight);
            expect(picked.pending).toBeLessThanOrEqual(most);
          }
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("leaves a call with its key's first endpoint while that has room", () => {
    const bounded = distributor(boundedLoad(maglev()))(manualCandidates(HOSTS));
    const free = distributor(maglev())(manualCandidates(HOSTS));
    for (let n = 0; n < 500; n += 1) {
      expect(bounded({ hashKey: `${n}` })?.address).toBe(free({ hashKey: `${n}` })?.address);
    }
  });

  it("spreads one hot key over its first endpoints, in the key's own order", () => {
    const set = manualCandidates(HOSTS);
    const order = new Set<string>();
    for (const _ of HOSTS) {
      const next = distributor(ringHash())(set)({ hashKey: "hot", exclude: order })?.address;
      order.add(next ?? "none");
    }
    const pick = distributor(boundedLoad(ringHash(), { factor: 2 }))(set);
    for (let call = 0; call < 1_000; call += 1) pick({ hashKey: "hot" })!.pending += 1;
    const loads = [...order].map((address) => set.find((candidate) => candidate.address === address)?.pending);
    expect(loads).toEqual([200, 200, 200, 200, 200, 0, 0, 0, 0, 0]);
  });

  it("knows the calls of its balancer, and takes a key back when they have ended", async () => {
    const clock = virtualClock();
    const membership = manualMembership();
    const { connect } = manualConnections((address) => address);
    const random = seededRandom(1);
    const endpointer = endpoints(membership, connect, { clock, random });
    const balancer = balance(endpointer, boundedLoad(ringHash()), { clock, random });
    membership.live(...HOSTS.slice(0, 4));
    const calls = [];
    for (let n = 0; n < 40; n += 1) calls.push(await balancer.pick({ hashKey: "hot" }));
    const loads = endpointer.current.map(({ pending }) => pending);
    expect(Math.max(...loads)).toBe(13); // ⌈1.25 · 40 / 4⌉
    for (const call of calls) call.done({ kind: "ok", reached: "maybe-seen" });
    expect((await balancer.pick({ hashKey: "hot" })).endpoint.address).toBe(calls[0]?.endpoint.address);
  });

  it("tries a call again on another endpoint, even on one that is full", () => {
    const set = manualCandidates(HOSTS.slice(0, 2));
    const [empty, full] = set as [(typeof set)[number], (typeof set)[number]];
    full.pending = 10;
    const pick = distributor(boundedLoad(ringHash()))(set);
    for (let n = 0; n < 20; n += 1) {
      expect(pick({ hashKey: `${n}` })).toBe(empty);
      expect(pick({ hashKey: `${n}`, exclude: new Set([empty.address]) })).toBe(full);
    }
  });

  it("does not count the calls on endpoints that are not usable as room or load of the others", () => {
    const set = manualCandidates(HOSTS.slice(0, 4));
    set[0]!.usable = false;
    set[0]!.pending = 1_000;
    const pick = distributor(boundedLoad(ringHash()))(set);
    for (let call = 0; call < 29; call += 1) pick({ hashKey: "hot" })!.pending += 1;
    // The last of them found 28 in progress: ⌈1.25 · 29 / 3⌉.
    expect(Math.max(...set.slice(1).map(({ pending }) => pending))).toBe(13);
  });

  it.each([0.9, -1, Number.NaN])("refuses the factor %d", (factor) => {
    expect(() => boundedLoad(maglev(), { factor })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

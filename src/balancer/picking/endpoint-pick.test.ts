import { expect, it } from "vitest";
import { endpoints } from "../../endpoints/endpointer.js";
import { seededRandom } from "../../random.js";
import { manualConnections } from "../../testing/manual-connections.js";
import { manualMembership } from "../../testing/manual-registry.js";
import { virtualClock } from "../../testing/virtual-clock.js";
import { balance } from "../balance.js";
import type { Candidate, Strategy } from "../strategy.js";

it("is pending on its candidate until it ends, through an update of what the instance says of itself", async () => {
  const clock = virtualClock();
  const membership = manualMembership();
  let seen: readonly Candidate[] = [];
  const first: Strategy = () => (candidates) => {
    seen = candidates;
    return () => candidates[0];
  };
  const { connect } = manualConnections((address) => address);
  const balancer = balance(endpoints(membership, connect, { clock }), first, { clock, random: seededRandom(1) });
  membership.live({ id: "a", address: "a:1", weight: 1 }, "b:1");
  const [one, two] = [await balancer.pick(), await balancer.pick()];
  const pending = () => seen.map((candidate) => candidate.pending);
  expect(pending()).toEqual([2, 0]);
  membership.live({ id: "a", address: "a:1", weight: 2 }, "b:1");
  expect(pending()).toEqual([2, 0]);
  one.done({ kind: "ok", reached: "maybe-seen" });
  one.done({ kind: "ok", reached: "maybe-seen" });
  expect(pending()).toEqual([1, 0]);
  two.done({ kind: "cancelled", reached: "maybe-seen" });
  expect(pending()).toEqual([0, 0]);
});

/** What a user keeps in AsyncLocalStorage, as the request that is being answered or its trace, is there in each attempt. */
import { AsyncLocalStorage } from "node:async_hooks";
import { expect, it } from "vitest";
import { answerIn, never, setUp } from "../../test/support/retried-calls.js";
import { balance } from "../balancer/balance.js";
import { roundRobin } from "../balancer/strategies/round-robin.js";
import { endpoints } from "../endpoints/endpointer.js";
import { manualMembership } from "../testing/manual-registry.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Call } from "./call.js";
import { compose } from "./compose.js";
import { rateLimit } from "./rate-limit.js";
import { retry } from "./retry/retry.js";

const requests = new AsyncLocalStorage<string>();

/** What calls for the requests `one` and `other` see of them, in the order in which they ran. */
function sightings(call: Call<string>, answer: () => Promise<string> = async () => "answer") {
  const seen: (string | undefined)[] = [];
  for (const request of ["one", "other"]) {
    requests.run(request, () => {
      call(
        () => {
          seen.push(requests.getStore());
          return answer();
        },
        { idempotent: true, timeoutMs: 3_000 },
      ).catch(() => {});
    });
  }
  return seen;
}

it("is its own in a call that waited for an endpoint", async () => {
  const clock = virtualClock();
  const membership = manualMembership();
  const connect = ({ address }: { address: string }) => ({ client: address });
  const balancer = balance(endpoints(membership, connect, { clock }), roundRobin(), { clock });
  const seen = sightings(balancer.call);
  requests.run("whoever changes the set", () => membership.live("10.0.0.1:1"));
  await clock.advance(0);
  expect(seen).toEqual(["one", "other"]);
});

it("is its own in an attempt beside a slow one", async () => {
  const { clock, balancer } = setUp(never);
  const seen = sightings(compose(balancer.call, retry({ clock })), () => answerIn(clock, 1_500));
  await clock.advance(3_000);
  expect(seen).toEqual(["one", "other", "one", "other"]);
});

it("is its own in a call that waited for its turn", async () => {
  const { clock, balancer } = setUp(never);
  const call = compose(balancer.call, rateLimit({ clock, perSecond: 10, burst: 1, wait: true }));
  requests.run("the first", () => void call(never));
  const seen = sightings(call);
  await clock.advance(1_000);
  expect(seen).toEqual(["one", "other"]);
});

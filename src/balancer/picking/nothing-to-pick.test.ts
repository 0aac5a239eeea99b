import { expect, it } from "vitest";
import { RollcallError } from "../../errors.js";
import type { Instance } from "../../instance.js";
import { nothingToPick } from "./nothing-to-pick.js";

const live = (...instances: Instance[]) =>
  ({ state: "live", instances, retained: [], revision: 1n, epoch: 0 }) as const;
const at = (address: string, draining = false): Instance => ({ id: address, address, draining });

it("names the instances that take no call, and what the last attempt failed with", () => {
  const refused = new Error("14 UNAVAILABLE: Failed to connect");
  const membership = live(at("a:1"), at("b:1", true), at("c:1"), at("d:1"), at("e:1"));
  expect(nothingToPick(membership, "book", refused)).toMatchObject({
    code: "NO_USABLE_INSTANCES",
    message:
      'no instance of "book" can take a call: a:1 has no connection, b:1 is draining, c:1 has no connection, ' +
      "2 more are no better; the last attempt failed with: 14 UNAVAILABLE: Failed to connect",
    cause: refused,
  });
});

it("does not take the end of the call's time for an attempt", () => {
  const outOfTime = new RollcallError("DEADLINE_EXCEEDED", "no answer within 50 ms");
  expect(nothingToPick(live(at("a:1")), "book", outOfTime).message).toBe(
    'no instance of "book" can take a call: a:1 has no connection',
  );
});

it("says of a service without instances how many it lost at once and cannot reach", () => {
  expect(nothingToPick({ ...live(), retained: [at("a:1"), at("b:1")] }, "book")).toMatchObject({
    code: "NO_INSTANCES",
    message: 'the registry holds no instance of "book": it lost 2 at once, and none of them can be reached',
  });
});

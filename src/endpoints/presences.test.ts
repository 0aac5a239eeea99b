import fc from "fast-check";
import { expect, it } from "vitest";
import { byId, type Instance, type Membership } from "../instance.js";
import { type Presence, Presences } from "./presences.js";

const view = (instances: readonly Instance[], retained: readonly Instance[] = []): Membership => ({
  state: "live",
  instances,
  retained,
  revision: 1n,
  epoch: 0,
});

/** Few ids and addresses, so that they meet often. */
const instances = fc
  .uniqueArray(fc.record({ id: fc.constantFrom("a", "b", "c", "d"), address: fc.constantFrom("x:1", "y:1", "z:1") }), {
    selector: ({ id }) => id,
  })
  .map((list) => list.sort(byId));

/** What `Presences` has to say, worked out from the view alone. */
function expected({ instances, retained }: Extract<Membership, { state: "live" }>, address: string) {
  const at = (list: readonly Instance[]) => list.find((instance) => instance.address === address);
  const [registered, last] = [at(instances), at(retained)];
  if (registered) return { instance: registered, retained: false };
  return last && { instance: last, retained: true };
}

it("says of every address what the newest view says, and touches each of which that changed", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(instances, instances), { maxLength: 8 }), (views) => {
      const presences = new Presences();
      const before = new Map<string, Presence | undefined>();
      let shown: readonly Instance[] = [];
      for (const [registered, retained] of views) {
        // As registries do, an instance that says the same is the same object.
        const kept = registered.map(
          (one) => shown.find((old) => old.id === one.id && old.address === one.address) ?? one,
        );
        shown = kept;
        const now = view(kept, retained) as Extract<Membership, { state: "live" }>;
        const touched = presences.update(now);
        for (const address of ["x:1", "y:1", "z:1"]) {
          const presence = presences.at(address);
          expect(presence).toEqual(expected(now, address));
          if (presence?.instance !== before.get(address)?.instance) expect(touched).toContain(address);
          if (presence?.retained !== before.get(address)?.retained) expect(touched).toContain(address);
          before.set(address, presence);
        }
      }
    }),
  );
});

it("touches nobody when a view is shown again, and all when nothing is known any more", () => {
  const presences = new Presences();
  const all = [
    { id: "a", address: "x:1" },
    { id: "b", address: "y:1" },
  ];
  presences.update(view(all));
  expect(presences.update(view([...all]))).toEqual(new Set());
  expect(presences.update({ state: "pending" })).toEqual(new Set(["x:1", "y:1"]));
  expect(presences.at("x:1")).toBeUndefined();
});

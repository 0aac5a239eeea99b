import { beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../random.js";
import { type VirtualClock, virtualClock } from "../testing/virtual-clock.js";
import { keyRange } from "./key-range.js";
import { Leases } from "./leases.js";
import { RevisionStore } from "./revision-store.js";

const bytes = (text: string) => Buffer.from(text);

describe("leases", () => {
  let clock: VirtualClock;
  let store: RevisionStore;
  let leases: Leases;

  beforeEach(() => {
    clock = virtualClock();
    store = new RevisionStore();
    leases = new Leases(store, clock, seededRandom(1));
  });

  const put = (key: string, lease: bigint) => store.write((view) => view.put(bytes(key), bytes(""), lease));
  const keys = () => store.read(keyRange(bytes("a"), bytes("\0"))).map(({ key }) => Buffer.from(key).toString());

  it("expires with all its keys in one revision, and no sooner", async () => {
    leases.grant(1n, 10n);
    put("a", 1n);
    put("b", 1n);
    put("c", 0n);
    await clock.advance(9_999);
    expect(keys()).toEqual(["a", "b", "c"]);
    await clock.advance(1);
    expect(keys()).toEqual(["c"]);
    expect(store.revision).toBe(5n);
    expect(leases.has(1n)).toBe(false);
  });

  it("a renewal gives the whole TTL again", async () => {
    leases.grant(1n, 10n);
    put("a", 1n);
    await clock.advance(9_000);
    expect(leases.renew(1n)).toBe(10n);
    expect(leases.standing(1n)?.ttl).toBe(10n);
    await clock.advance(9_999);
    expect(keys()).toEqual(["a"]);
    await clock.advance(1);
    expect(keys()).toEqual([]);
    expect(leases.renew(1n)).toBe(0n);
  });

  it("lists the first to expire first", async () => {
    leases.grant(1n, 10n);
    leases.grant(2n, 8n);
    await clock.advance(4_000);
    leases.renew(2n);
    leases.grant(3n, 2n);
    expect(leases.ids()).toEqual([3n, 1n, 2n]);
  });

  it("leaves a key alone that a later put took from the lease", async () => {
    leases.grant(1n, 2n);
    put("a", 1n);
    put("a", 0n);
    await clock.advance(5_000);
    expect(keys()).toEqual(["a"]);
  });

  it("leaves no timer behind", () => {
    leases.grant(0n, 10n);
    leases.grant(0n, 20n);
    leases.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

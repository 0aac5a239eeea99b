import { describe, expect, it } from "vitest";
import type { Instance } from "../instance.js";
import type { Outcome } from "../outcome.js";
import { seededRandom } from "../random.js";
import { manualConnections } from "../testing/manual-connections.js";
import { manualMembership } from "../testing/manual-registry.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Connect, ConnectionStatus, Endpointer } from "./endpoint.js";
import { endpoints } from "./endpointer.js";

const A = "10.0.0.1:1";
const B = "10.0.0.2:1";
const C = "10.0.0.3:1";

function setUp({ initially = "ready" as ConnectionStatus, connect = undefined as Connect<string> | undefined } = {}) {
  const clock = virtualClock();
  const membership = manualMembership();
  const connections = manualConnections((address) => `client of ${address}`, { initially });
  const warnings: string[] = [];
  const endpointer = endpoints(membership, connect ?? connections.connect, {
    clock,
    random: seededRandom(1),
    logger: { warn: (message) => void warnings.push(message), info: () => {} },
  });
  return { clock, membership, connections, endpointer, warnings };
}

function addresses(endpointer: Endpointer<string>): string[] {
  return endpointer.current.map(({ address }) => address);
}

describe("the set", () => {
  it("makes one endpoint for each of two instances and closes nothing (go-kit 10)", () => {
    const { membership, connections, endpointer } = setUp();
    membership.live(A, B);
    expect(addresses(endpointer)).toEqual([A, B]);
    expect(connections.made.map(({ closed }) => closed)).toEqual([false, false]);
    expect(endpointer.current[0]?.connection.client).toBe(`client of ${A}`);
  });

  it("sees the view that was there before it (go-kit 18)", () => {
    const membership = manualMembership();
    membership.live(A, B);
    const endpointer = endpoints(membership, manualConnections(String).connect);
    expect(addresses(endpointer)).toEqual([A, B]);
  });

  it("does nothing for the same set again (go-kit 11)", () => {
    const { membership, connections, endpointer } = setUp();
    membership.live(A, B);
    const before = endpointer.current;
    membership.live(A, B);
    expect(endpointer.current).toBe(before);
    expect(connections.made).toHaveLength(2);
  });

  it("keeps every endpoint while the registry cannot be heard (go-kit 12)", () => {
    const { membership, connections, endpointer } = setUp();
    membership.live(A, B);
    const before = endpointer.current;
    membership.stale();
    expect(endpointer.current).toBe(before);
    expect(connections.made.every(({ closed }) => !closed)).toBe(true);
  });

  it("closes exactly the connection whose instance left (go-kit 13)", async () => {
    const { clock, membership, connections, endpointer } = setUp();
    membership.live(A, B);
    membership.live(B);
    await clock.advance(0);
    expect(addresses(endpointer)).toEqual([B]);
    expect(connections.to(A).closed).toBe(true);
    expect(connections.to(B).closed).toBe(false);
  });

  it("is empty after an empty view, all closed (go-kit 14, 19)", async () => {
    const { clock, membership, connections, endpointer } = setUp();
    membership.live(A, B);
    membership.live();
    await clock.advance(0);
    expect(endpointer.current).toEqual([]);
    expect(connections.made.map(({ closed }) => closed)).toEqual([true, true]);
  });

  it("converges over add, add, add, remove, remove (go-kit 21)", () => {
    const { membership, connections, endpointer } = setUp();
    for (const set of [[A], [A, B], [A, B, C], [B, C], [C]]) {
      membership.live(...set);
      expect(addresses(endpointer)).toEqual(set);
    }
    expect(connections.made).toHaveLength(3);
  });

  it("keeps the connection when only the metadata changed, and shows the new metadata", () => {
    const { membership, connections, endpointer } = setUp();
    membership.live({ id: "a", address: A, weight: 1 });
    const [before] = endpointer.current;
    membership.live({ id: "a", address: A, weight: 5 });
    const [now] = endpointer.current;
    expect(now?.instance.weight).toBe(5);
    expect(now?.connection).toBe(before?.connection);
    expect(connections.made).toHaveLength(1);
  });

  it("makes one endpoint for two keys with one address, described by the lowest key (K10)", () => {
    const { membership, connections, endpointer } = setUp();
    const twins: Instance[] = [
      { id: "/services/book/z", address: A, weight: 9 },
      { id: "/services/book/a", address: A, weight: 2 },
    ];
    membership.live(...twins);
    membership.live(...twins, B);
    expect(addresses(endpointer)).toEqual([A, B].sort());
    expect(endpointer.current.find(({ address }) => address === A)?.instance.weight).toBe(2);
    expect(connections.made.filter(({ instance }) => instance.address === A)).toHaveLength(1);
  });

  it("offers no draining instance, and keeps its connection until it leaves", async () => {
    const { clock, membership, connections, endpointer } = setUp();
    membership.live(A, B);
    membership.live({ id: A, address: A, draining: true }, B);
    await clock.advance(10_000);
    expect(addresses(endpointer)).toEqual([B]);
    expect(connections.to(A).closed).toBe(false);
    membership.live(B);
    await clock.advance(0);
    expect(connections.to(A).closed).toBe(true);
  });

  it("offers what vanished in a mass deletion as a last resort", () => {
    const { membership, endpointer } = setUp();
    const instance = (address: string) => ({ id: address, address });
    membership.set({ state: "live", instances: [instance(A)], retained: [instance(B)], revision: 3n, epoch: 1 });
    expect(endpointer.current.map(({ address, retained }) => [address, retained])).toEqual([
      [A, false],
      [B, true],
    ]);
  });

  it("publishes a replaced set once, without a moment of emptiness", () => {
    const { membership, endpointer } = setUp();
    membership.live(A, B);
    const seen: number[] = [];
    endpointer.subscribe((set) => void seen.push(set.length));
    membership.live(C, "10.0.0.4:1");
    expect(seen).toEqual([2, 2]);
  });
});

describe("connecting", () => {
  it("starts at once and in the background", () => {
    const { membership, connections, endpointer } = setUp({ initially: "idle" });
    membership.live(A, B);
    expect(connections.made.map(({ connects }) => connects)).toEqual([1, 1]);
    expect(endpointer.current.map(({ state }) => state)).toEqual(["connecting", "connecting"]);
    expect(endpointer.availability.current).toMatchObject({ total: 2, ready: 0, connecting: 2 });
  });

  it("takes a connection that knows no status to be ready", () => {
    let asked = 0;
    const connect = () => ({
      client: "client",
      connect() {
        asked += 1;
      },
    });
    const { membership, endpointer } = setUp({ connect });
    membership.live(A);
    expect(asked).toBe(1);
    expect(endpointer.current[0]?.state).toBe("ready");
  });

  it("waits a second at most for one that is slow (K12)", async () => {
    const { clock, membership, connections, endpointer } = setUp({ initially: "connecting" });
    membership.live(A, B);
    connections.to(B).status.set("ready");
    expect(endpointer.availability.current).toMatchObject({ total: 2, ready: 1, connecting: 1 });
    await clock.advance(1_000);
    expect(endpointer.availability.current).toMatchObject({ total: 2, ready: 1, connecting: 0 });
    expect(endpointer.current.map(({ state }) => state)).toEqual(["unready", "ready"]);
    connections.to(A).status.set("ready");
    expect(endpointer.availability.current).toMatchObject({ total: 2, ready: 2, connecting: 0 });
  });

  it("does not rebuild the set when a status changes", () => {
    const { membership, connections, endpointer } = setUp();
    membership.live(A, B);
    const before = endpointer.current;
    connections.to(A).status.set("failing");
    expect(endpointer.current).toBe(before);
    expect(endpointer.availability.current).toMatchObject({ total: 2, ready: 1, connecting: 0 });
    connections.to(A).status.set("connecting");
    expect(endpointer.availability.current.ready).toBe(1);
  });

  it("stays unready while a failing connection tries again", () => {
    const { membership, connections, endpointer } = setUp({ initially: "failing" });
    membership.live(A);
    connections.to(A).status.set("connecting");
    expect(endpointer.current[0]?.state).toBe("unready");
  });

  it("connects again when a connection went idle, and rests a second before the next time", async () => {
    const { clock, membership, connections } = setUp({ initially: "idle" });
    membership.live(A);
    const connection = connections.to(A);
    connection.status.set("ready");
    await clock.advance(60_000);
    connection.status.set("idle");
    expect(connection.connects).toBe(2);
    connection.status.set("ready");
    connection.status.set("idle");
    expect(connection.connects).toBe(2);
    await clock.advance(2_000);
    expect(connection.connects).toBe(3);
  });

  it("leaves out an instance whose client cannot be made, and goes on trying (go-kit 16, 17, K11)", async () => {
    let broken = true;
    const connect = ({ address }: Instance) => {
      if (broken && address === A) throw new Error("no certificate");
      return { client: address };
    };
    const { clock, membership, endpointer, warnings } = setUp({ connect });
    membership.live(A, B);
    expect(addresses(endpointer)).toEqual([B]);
    await clock.advance(60_000);
    expect(warnings).toEqual([`cannot make a client for ${A}, trying on: no certificate`]);
    broken = false;
    await clock.advance(10_000);
    expect(addresses(endpointer)).toEqual([A, B]);
  });

  it("gives up on a client that cannot be made when its instance leaves", async () => {
    let tries = 0;
    const connect = () => {
      tries += 1;
      throw new Error("no");
    };
    const { clock, membership } = setUp({ connect });
    membership.live(A);
    membership.live();
    const before = tries;
    await clock.advance(60_000);
    expect(tries).toBe(before);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("the retained", () => {
  const at = (address: string): Instance => ({ id: address, address });
  const failed = (reached: Outcome["reached"], fault: Outcome["fault"] = "server", code = "UNAVAILABLE") =>
    ({ kind: "failed", reached, fault, code }) as Outcome;

  /** A registered, B and C retained, as they were: connected. */
  function afterLoss() {
    const parts = setUp();
    const retain = (instances: readonly string[], retained: readonly string[], revision: bigint) =>
      parts.membership.set({
        state: "live",
        instances: instances.map(at),
        retained: retained.map(at),
        revision,
        epoch: 1,
      });
    parts.membership.live(A, B, C);
    retain([A], [B, C], 2n);
    const endpoint = (address: string) => {
      const found = parts.endpointer.current.find((each) => each.address === address);
      if (found === undefined) throw new Error(`there is no endpoint at ${address}`);
      return found;
    };
    return { ...parts, retain, endpoint };
  }

  it("keep their connections", () => {
    const { connections, endpointer } = afterLoss();
    expect(endpointer.current.map(({ address, retained }) => [address, retained])).toEqual([
      [A, false],
      [B, true],
      [C, true],
    ]);
    expect(connections.made).toHaveLength(3);
    expect(connections.made.every(({ closed }) => !closed)).toBe(true);
  });

  it("are counted only while no registered endpoint is ready or connecting", () => {
    const { connections, endpointer } = afterLoss();
    expect(endpointer.availability.current).toEqual({ total: 3, ready: 1, connecting: 0, lastResort: false });
    connections.to(A).status.set("idle");
    expect(endpointer.availability.current).toEqual({ total: 3, ready: 0, connecting: 1, lastResort: false });
    connections.to(A).status.set("failing");
    expect(endpointer.availability.current).toEqual({ total: 3, ready: 2, connecting: 0, lastResort: true });
  });

  it("leave when their connection fails, and registered ones do not", async () => {
    const { clock, connections, endpointer } = afterLoss();
    connections.to(A).status.set("failing");
    connections.to(B).status.set("failing");
    await clock.advance(0);
    expect(addresses(endpointer)).toEqual([A, C]);
    expect(connections.to(A).closed).toBe(false);
    expect(connections.to(B).closed).toBe(true);
  });

  it("are not kept at all when their connection had failed before", () => {
    const { membership, connections, endpointer, retain } = afterLoss();
    membership.live(A, B, C);
    connections.to(C).status.set("failing");
    retain([A], [B, C], 9n);
    expect(addresses(endpointer)).toEqual([A, B]);
  });

  it("stay while a lost connection is being made again", async () => {
    const { clock, connections, endpointer } = afterLoss();
    connections.to(B).status.set("idle");
    connections.to(B).status.set("connecting");
    await clock.advance(5_000);
    expect(addresses(endpointer)).toEqual([A, B, C]);
  });

  it.each([
    ["never-sent", true, failed("never-sent")],
    ["refused", true, failed("refused")],
    ["overloaded", false, failed("refused", "overload")],
    ["maybe seen", false, failed("maybe-seen")],
    ["out of time while it connected", false, failed("never-sent", "server", "DEADLINE_EXCEEDED")],
    ["ok", false, { kind: "ok", reached: "maybe-seen" } as Outcome],
  ])("of a call that was %s: leaves %s", (_what, leaves, outcome) => {
    const { endpointer, endpoint } = afterLoss();
    for (const address of [A, B]) {
      endpoint(address).begin();
      endpoint(address).end(outcome);
    }
    expect(addresses(endpointer)).toEqual(leaves ? [A, C] : [A, B, C]);
  });

  it("stay away when the view retains them still, until they are registered again", () => {
    const { connections, endpointer, retain } = afterLoss();
    connections.to(B).status.set("failing");
    retain([A], [B, C], 3n);
    expect(addresses(endpointer)).toEqual([A, C]);
    retain([A, B], [C], 4n);
    expect(addresses(endpointer)).toEqual([A, B, C]);
    retain([A], [B, C], 5n);
    expect(addresses(endpointer)).toEqual([A, B, C]);
  });

  it("are not given up for a call on a connection that an earlier registration had", () => {
    const { membership, endpointer, endpoint, retain } = afterLoss();
    membership.live(A, B);
    const old = endpoint(B);
    old.begin();
    membership.live(A);
    membership.live(A, B);
    retain([A], [B], 9n);
    old.end(failed("never-sent"));
    expect(addresses(endpointer)).toEqual([A, B]);
  });

  it("finish the calls that they have", async () => {
    const { clock, connections, endpoint } = afterLoss();
    const busy = endpoint(B);
    busy.begin();
    connections.to(B).status.set("failing");
    await clock.advance(4_000);
    expect(connections.to(B).closed).toBe(false);
    busy.end();
    await clock.advance(0);
    expect(connections.to(B).closed).toBe(true);
  });
});

describe("leaving", () => {
  it("lets calls in progress finish before the connection is closed (K13)", async () => {
    const { clock, membership, connections, endpointer } = setUp();
    membership.live(A);
    const [endpoint] = endpointer.current;
    endpoint?.begin();
    endpoint?.begin();
    membership.live();
    await clock.advance(4_000);
    endpoint?.end();
    await clock.advance(0);
    expect(connections.to(A).closed).toBe(false);
    endpoint?.end();
    await clock.advance(0);
    expect(connections.to(A).closed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("waits no longer than drainMs for them", async () => {
    const { clock, membership, connections, endpointer } = setUp();
    membership.live(A);
    endpointer.current[0]?.begin();
    membership.live();
    await clock.advance(4_999);
    expect(connections.to(A).closed).toBe(false);
    await clock.advance(1);
    expect(connections.to(A).closed).toBe(true);
  });

  it("makes a new connection for an address that comes back while the old one drains", async () => {
    const { clock, membership, connections, endpointer } = setUp();
    membership.live(A);
    endpointer.current[0]?.begin();
    membership.live();
    membership.live(A);
    await clock.advance(6_000);
    expect(connections.made.map(({ closed }) => closed)).toEqual([true, false]);
    expect(addresses(endpointer)).toEqual([A]);
  });

  it("reports a connection that fails to close, and closes the others", async () => {
    const closed: string[] = [];
    const connect = ({ address }: Instance) => ({
      client: address,
      async [Symbol.asyncDispose]() {
        if (address === A) throw new Error("stuck");
        closed.push(address);
      },
    });
    const { endpointer, membership, warnings } = setUp({ connect });
    membership.live(A, B);
    await endpointer.close();
    expect(closed).toEqual([B]);
    expect(warnings).toEqual([`closing the connection to ${A} failed: stuck`]);
  });
});

describe("close", () => {
  it("closes every connection, those that are draining too, and leaves nothing running (K14)", async () => {
    const { clock, membership, connections, endpointer } = setUp({ initially: "connecting" });
    membership.live(A, B);
    const [a] = endpointer.current;
    a?.begin();
    membership.live(B, C);
    const closing = endpointer.close();
    expect(endpointer.current).toEqual([]);
    await clock.advance(5_000);
    await closing;
    expect(connections.made.map(({ closed }) => closed)).toEqual([true, true, true]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("ignores the views that come after it, and a second close (go-kit 20)", async () => {
    const { membership, connections, endpointer } = setUp();
    membership.live(A);
    await endpointer.close();
    await endpointer.close();
    membership.live(A, B);
    expect(endpointer.current).toEqual([]);
    expect(connections.made).toHaveLength(1);
  });
});

it("keeps count of ten thousand connections that become ready one by one", () => {
  const { membership, connections, endpointer } = setUp({ initially: "connecting" });
  membership.live(...Array.from({ length: 10_000 }, (_, n) => `10.${n >> 8}.${n & 255}.1:1`));
  for (const { status } of connections.made) status.set("ready");
  expect(endpointer.availability.current).toMatchObject({ total: 10_000, ready: 10_000, connecting: 0 });
});

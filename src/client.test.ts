import { describe, expect, it } from "vitest";
import { roundRobin } from "./balancer/strategies/round-robin.js";
import { type ClientOptions, client } from "./client.js";
import { CallError } from "./errors.js";
import { seededRandom } from "./random.js";
import { fixed } from "./registry/fixed.js";
import { memory } from "./registry/memory.js";
import { manualConnections } from "./testing/manual-connections.js";
import { manualRegistry } from "./testing/manual-registry.js";
import { virtualClock } from "./testing/virtual-clock.js";

const ADDRESSES = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];

function setUp(options: Partial<Parameters<typeof client<string>>[0]> = {}) {
  const clock = virtualClock();
  const registry = manualRegistry();
  const connections = manualConnections((address) => address);
  const book = client<string>({
    registry,
    service: "book",
    connect: connections.connect,
    clock,
    random: seededRandom(1),
    ...options,
  });
  return { clock, registry, connections, book };
}

describe("client", () => {
  it("gives eight calls to three instances in turn, 3, 3, 2, if told to", async () => {
    await using book = client<string>({
      registry: fixed({ book: ADDRESSES }),
      service: "book",
      strategy: roundRobin(),
      connect: ({ address }) => ({ client: address }),
    });
    await book.ready();
    const counts = new Map<string, number>();
    for (let n = 0; n < 8; n += 1) {
      const address = await book.call(async (of) => of);
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    expect([...counts.values()].sort()).toEqual([2, 3, 3]);
  });

  it("waits for the first instance, and gives up after ten seconds when a call brings no timeout", async () => {
    const { clock, registry, book } = setUp();
    const served = book.call(async (address) => address);
    registry.membership("book").live(...ADDRESSES);
    expect(ADDRESSES).toContain(await served);
    registry.membership("book").live();
    const unserved = book.call(async (address) => address).catch(({ code }) => [code, clock.nowMs()]);
    await clock.advance(20_000);
    expect(await unserved).toEqual(["NO_INSTANCES", 10_000]);
  });

  it("tries a call again when its calls are said to do no harm twice", async () => {
    const { registry, book, clock } = setUp({ idempotent: true });
    registry.membership("book").live(...ADDRESSES);
    let attempts = 0;
    const operation = async (address: string) => {
      attempts += 1;
      if (attempts < 3) throw new Error(`${address} is down`);
      return "answer";
    };
    const call = book.call(operation);
    await clock.advance(1_000);
    expect(await call).toBe("answer");
  });

  it("makes one attempt only when it is not to retry, and rejects with the operation's own error", async () => {
    const { registry, book } = setUp({ retry: false, idempotent: true });
    registry.membership("book").live(...ADDRESSES);
    const error = new Error("down");
    const rejection = await book.call(() => Promise.reject(error)).catch((reason) => reason);
    expect(rejection).toBe(error);
    expect(rejection).not.toBeInstanceOf(CallError);
  });

  it.each([
    ["keeps calls away from an instance that fails, then gives it its turns again", undefined, 5 + 10],
    ["gives an instance that fails its share all the same when it is to eject nobody", false, 20 + 10],
  ] as const)("%s", async (_, ejection, expected) => {
    const { registry, book, clock } = setUp({ ejection, strategy: roundRobin(), retry: false, logger: false });
    registry.membership("book").live(...ADDRESSES);
    const [bad] = ADDRESSES;
    let sick = true;
    let calls = 0;
    const operation = async (address: string) => {
      if (address !== bad) return;
      calls += 1;
      if (sick) throw new Error("the disk is full");
    };
    const callTimes = async (times: number) => {
      for (let n = 0; n < times; n += 1) await book.call(operation, { idempotent: true }).catch(() => {});
    };
    await callTimes(60);
    sick = false;
    await clock.advance(5_000);
    await callTimes(30);
    expect(calls).toBe(expected);
  });

  it("keeps calling while the registry is down", async () => {
    const { registry, book } = setUp();
    registry.membership("book").live(...ADDRESSES);
    registry.membership("book").stale();
    expect(ADDRESSES).toContain(await book.call(async (address) => address));
    expect(book.membership.current.state).toBe("stale");
  });

  it("fails at once, and says that the registry is closed, when that was closed too early", async () => {
    const registry = memory();
    const connections = manualConnections((address) => address);
    await using book = client<string>({ registry, service: "book", connect: connections.connect });
    const waiting = expect(book.call(async () => 1)).rejects.toMatchObject({ code: "CLOSED" });
    await registry.close();
    await waiting;
    await expect(book.call(async () => 1)).rejects.toThrow(
      'the registry is closed, and no instance of "book" was known',
    );
    await expect(book.ready()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("goes on with the instances that it knows when the registry is closed", async () => {
    const registry = memory();
    await registry.register("book", { address: "10.0.0.1:1" });
    await using book = client<string>({ registry, service: "book", connect: ({ address }) => ({ client: address }) });
    await registry.close();
    expect(await book.call(async (address) => address)).toBe("10.0.0.1:1");
    expect(book.membership.current).toMatchObject({ state: "stale", error: { code: "CLOSED" } });
  });

  it("opens nothing when an option is refused", () => {
    const { registry } = setUp();
    const opened = registry.openHandles;
    for (const refused of [
      { retry: { attempts: 0 } },
      { timeoutMs: -1 },
      { drainMs: Number.NaN },
      { ejection: { maxEjected: 2 } },
    ]) {
      expect(() => client({ registry, service: "book", connect: () => ({ client: "" }), ...refused })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
    expect(registry.openHandles).toBe(opened);
  });

  it("refuses an option that it does not have, and names those that it has", () => {
    const { registry } = setUp();
    const misspelt = { servce: "book", connect: () => ({ client: "" }), registry } as unknown as ClientOptions<string>;
    expect(() => client(misspelt)).toThrow(/client\(\) has no option `servce`; it has registry, service, /);
  });

  it("closes what it opened, once calls in progress have ended, and leaves the registry open", async () => {
    const { clock, registry, connections, book } = setUp();
    registry.membership("book").live(...ADDRESSES);
    expect(registry.openHandles).toBe(1);
    let answer = (_value: string) => {};
    const call = book.call(() => new Promise<string>((resolve) => (answer = resolve)));
    const closing = book.close();
    await clock.advance(1_000);
    expect(connections.made.filter(({ closed }) => !closed)).toHaveLength(1);
    answer("in time");
    expect(await call).toBe("in time");
    await closing;
    expect(connections.made.every(({ closed }) => closed)).toBe(true);
    expect(registry.openHandles).toBe(0);
    await expect(book.call(async () => 1)).rejects.toMatchObject({
      code: "CLOSED",
      message: 'the client of "book" is closed',
    });
    await book.close();
    expect(clock.pendingTimers).toBeLessThanOrEqual(1); // the timer of deadlines that were met
  });
});

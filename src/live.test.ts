import { describe, expect, test, vi } from "vitest";
import { cell, changes, firstMatch } from "./live.js";

describe("a live value", () => {
  test("tells a late subscriber at once what holds now", () => {
    const live = cell(1);
    live.set(2);
    const seen: number[] = [];
    live.subscribe((value) => seen.push(value));
    expect(seen).toEqual([2]);
  });

  test("tells observers in order of subscription, after `current` can be read", () => {
    const live = cell(0);
    const seen: string[] = [];
    live.subscribe((value) => seen.push(`a${value}/${live.current}`));
    live.subscribe((value) => seen.push(`b${value}/${live.current}`));
    live.set(1);
    expect(seen).toEqual(["a0/0", "b0/0", "a1/1", "b1/1"]);
  });

  test("delivers a set made during notification after the one in progress, to everybody in the same order", () => {
    const live = cell(0);
    const first: number[] = [];
    const second: number[] = [];
    live.subscribe((value) => {
      first.push(value);
      if (value === 1) live.set(2);
    });
    live.subscribe((value) => second.push(value));
    live.set(1);
    expect(first).toEqual([0, 1, 2]);
    expect(second).toEqual([0, 1, 2]);
  });

  test("tells nobody twice who subscribes during notification", () => {
    const live = cell(0);
    const late: number[] = [];
    live.subscribe((value) => {
      if (value === 1) live.subscribe((newer) => late.push(newer));
    });
    live.set(1);
    live.set(2);
    expect(late).toEqual([1, 2]);
  });

  test("an observer that throws is reported and stops no other", async () => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const live = cell(0);
    const seen: number[] = [];
    live.subscribe((value) => {
      if (value === 1) throw new Error("observer failed");
    });
    live.subscribe((value) => seen.push(value));
    live.set(1);
    expect(seen).toEqual([0, 1]);
    expect((await warned).message).toBe("observer failed");
  });

  test("does not publish what is the same", () => {
    const live = cell({ n: 1 }, (a, b) => a.n === b.n);
    const observer = vi.fn();
    live.subscribe(observer);
    live.set({ n: 1 });
    expect(observer).toHaveBeenCalledTimes(1);
  });

  test("delivers what an observer sets in its first notification after that notification", () => {
    const live = cell(0);
    const seen: number[] = [];
    live.subscribe((value) => {
      if (value === 0) live.set(1);
      seen.push(value);
    });
    expect(seen).toEqual([0, 1]);
  });

  test("tells nothing after the subscription was disposed, not even the delivery in progress", () => {
    const live = cell(0);
    const seen: number[] = [];
    const subscriptions: Disposable[] = [];
    live.subscribe((value) => {
      if (value === 1) subscriptions[0]?.[Symbol.dispose]();
    });
    subscriptions.push(live.subscribe((value) => seen.push(value)));
    live.set(1);
    live.set(2);
    expect(seen).toEqual([0]);
  });
});

describe("changes()", () => {
  test("gives the current value, then the newest after each wait, and ends with the signal", async () => {
    const live = cell(1);
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const value of changes(live, stop.signal)) {
      seen.push(value);
      if (value === 1) {
        live.set(2);
        live.set(9);
      } else if (value === 9) {
        setImmediate(() => live.set(10));
      } else stop.abort();
    }
    expect(seen).toEqual([1, 9, 10]);
  });

  test("ends a wait that the signal interrupts", async () => {
    const stop = new AbortController();
    const iterator = changes(cell(1), stop.signal);
    await iterator.next();
    const waiting = iterator.next();
    stop.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });
});

describe("firstMatch()", () => {
  test("takes the current value, or the first later one", async () => {
    const live = cell(1);
    expect(await firstMatch(live, (value) => value === 1)).toBe(1);
    const later = firstMatch(live, (value) => value > 1);
    live.set(5);
    expect(await later).toBe(5);
  });

  test("rejects with the signal's reason", async () => {
    const reason = new Error("enough");
    await expect(firstMatch(cell(1), () => false, AbortSignal.abort(reason))).rejects.toBe(reason);
    const stop = new AbortController();
    const waiting = firstMatch(cell(1), () => false, stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

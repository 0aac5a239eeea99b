import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { ReplayedRequests } from "./replayed-requests.js";

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

async function* upTo(last: number, onEnd = () => {}) {
  try {
    for (let number = 1; number <= last; number += 1) yield number;
  } finally {
    onEnd();
  }
}

describe("replayed requests", () => {
  test("come to each attempt from the first on", async () => {
    const requests = new ReplayedRequests(upTo(3));
    for await (const request of requests.attempt()) if (request === 2) break;
    expect(await collect(requests.attempt())).toEqual([1, 2, 3]);
    expect(await collect(requests.attempt())).toEqual([1, 2, 3]);
  });

  test("come whole to two attempts at a time", async () => {
    const requests = new ReplayedRequests(upTo(5));
    expect(await Promise.all([collect(requests.attempt()), collect(requests.attempt())])).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 3, 4, 5],
    ]);
  });

  test("lose nothing to an attempt that was left while it waited for the next one", async () => {
    let give: (value: number) => void = () => {};
    async function* slow() {
      yield await new Promise<number>((resolve) => {
        give = resolve;
      });
    }
    const requests = new ReplayedRequests(slow());
    void requests.attempt()[Symbol.asyncIterator]().next();
    await new Promise((resolve) => setImmediate(resolve));
    give(1);
    expect(await collect(requests.attempt())).toEqual([1]);
  });

  test("are not kept beyond 64, nor after the commit", async () => {
    const many = new ReplayedRequests(upTo(65));
    expect(await collect(many.attempt())).toHaveLength(65);
    expect(() => many.attempt()).toThrow("cannot be tried again");
    const committed = new ReplayedRequests(upTo(3));
    const attempt = committed.attempt();
    committed.commit();
    expect(await collect(attempt)).toEqual([1, 2, 3]);
    expect(() => committed.attempt()).toThrow("cannot be tried again");
  });

  test("fail as their source fails, and close it", async () => {
    let closed = false;
    const requests = new ReplayedRequests(upTo(3, () => (closed = true)));
    await requests.attempt()[Symbol.asyncIterator]().next();
    requests.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toBe(true);
    const failing = new ReplayedRequests(
      (async function* () {
        yield 1;
        throw new Error("no more");
      })(),
    );
    await expect(collect(failing.attempt())).rejects.toThrow("no more");
  });

  test("are let go as they are read once there is no further attempt", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const early: WeakRef<object>[] = [];
    function* large() {
      for (let number = 0; number < 1_000; number += 1) {
        const request = { bytes: new Uint8Array(100) };
        if (early.length < 10) early.push(new WeakRef(request));
        yield request;
      }
    }
    const attempt = new ReplayedRequests(large()).attempt()[Symbol.asyncIterator]();
    for (let number = 0; number < 500; number += 1) await attempt.next();
    await new Promise((resolve) => setImmediate(resolve)); // a WeakRef holds until the turn is over
    collectGarbage();
    expect(early.filter((request) => request.deref())).toEqual([]);
    await attempt.next();
  });
});

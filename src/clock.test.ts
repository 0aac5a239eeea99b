import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { type Clock, sleep, systemClock } from "./clock.js";
import { virtualClock } from "./testing/virtual-clock.js";

test("sleep() ends with its time, or at once with the signal's reason, and leaves no timer", async () => {
  const clock = virtualClock();
  let woke = false;
  void sleep(clock, 100).then(() => {
    woke = true;
  });
  await clock.advance(99);
  expect(woke).toBe(false);
  await clock.advance(1);
  expect(woke).toBe(true);

  const stop = new AbortController();
  const reason = new Error("enough");
  const sleeping = sleep(clock, 100, stop.signal);
  stop.abort(reason);
  await expect(sleeping).rejects.toBe(reason);
  await expect(sleep(clock, 100, stop.signal)).rejects.toBe(reason);
  expect(clock.pendingTimers).toBe(0);
});

test("the system clock tells the time of performance.now(), and never goes back", () => {
  for (let n = 0, beforeMs = 0; n < 1_000; n += 1) {
    const earliestMs = performance.now();
    const nowMs = systemClock.nowMs();
    const latestMs = performance.now();
    expect(nowMs).toBeGreaterThanOrEqual(Math.max(beforeMs, earliestMs - 1)); // the two began a few microseconds apart
    expect(nowMs).toBeLessThanOrEqual(latestMs + 1);
    beforeMs = nowMs;
  }
});

test("the system clock runs a timer once, unless it is cancelled, and takes any delay", async () => {
  let ran = 0;
  const cancelled = systemClock.after(0, () => {
    ran += 100;
  });
  cancelled.cancel();
  const endless = systemClock.after(Number.MAX_SAFE_INTEGER, () => {
    ran += 100;
  });
  await new Promise<void>((resolve) => {
    systemClock.after(1, () => {
      ran += 1;
      setImmediate(resolve);
    });
    setTimeout(() => {}, 50); // the clock's own timers hold no process
  });
  endless.cancel();
  expect(ran).toBe(1);
});

test("a timer that is late because the process stood still runs after what arrived meanwhile was read", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1"); // a TCP server's address has a port
  const [peer] = await accepted;
  const seen: string[] = [];
  socket.on("data", () => seen.push("answer"));
  const cancelled = systemClock.after(20, () => seen.push("cancelled"));
  socket.once("data", () => cancelled.cancel());
  const elapsed = new Promise<void>((resolve) => {
    systemClock.after(
      10,
      () => {
        seen.push("deadline");
        resolve();
      },
      { hold: true },
    );
  });
  peer.write("answer");
  const until = performance.now() + 400;
  while (performance.now() < until);
  await elapsed;
  await new Promise(setImmediate);
  socket.destroy();
  peer.destroy();
  server.close();
  expect(seen).toEqual(["answer", "deadline"]);
});

test("virtual timers run in order of their time and see it", async () => {
  const clock = virtualClock(1_000);
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b@${clock.nowMs()}`));
  clock.after(10, () => {
    seen.push(`a@${clock.nowMs()}`);
    clock.after(5, () => seen.push(`c@${clock.nowMs()}`));
  });
  await clock.advance(30);
  expect(seen).toEqual(["a@10", "c@15", "b@20"]);
  expect(clock.epochMs()).toBe(1_030);
});

test("a process does not end before a sleep() that it waits for", () => {
  const held: unknown[] = [];
  const clock: Clock = {
    ...systemClock,
    after(_delayMs, _callback, options) {
      held.push(options?.hold);
      return { cancel() {} };
    },
  };
  void sleep(clock, 1);
  expect(held).toEqual([true]);
});

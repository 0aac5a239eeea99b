import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { aborted } from "./stop-signal.js";
import { within } from "./within.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void; // what the flag exposes

it("ends in time although garbage is collected meanwhile", async () => {
  const collecting = setInterval(collectGarbage, 20);
  const startedMs = performance.now();
  await within(200, new AbortController().signal, aborted);
  clearInterval(collecting);
  expect(performance.now() - startedMs).toBeGreaterThan(150);
});

it("ends with the signal, whatever time is left", async () => {
  const stop = new AbortController();
  const waiting = within(Number.POSITIVE_INFINITY, stop.signal, aborted);
  stop.abort();
  await waiting;
});

it("gives what the work gives", async () => {
  expect(await within(60_000, new AbortController().signal, async () => 7)).toBe(7);
});
